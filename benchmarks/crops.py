"""Held-out pictures: crops of real photos that no calibration has seen, to hold artifacts against eager PyTorch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import PIL.Image
import skimage
import sklearn.datasets
from numpy.typing import NDArray

from benchmarks.stage import CLASSIFIER, SAMPLES
from tests.e2e.bundles import EXAMPLES

PHOTOS = ("gravel.png", "moon.png", "hubble_deep_field.jpg", "retina.jpg", "text.png", "clock_motion.png")
"""Of skimage/data, beside the function's samples and scikit-learn's flower: things, textures, scans."""

CROPS = 16
"""Of each picture."""


def held_out() -> NDArray[np.float32]:
    """float32 [crops, 3, 224, 224], the same in each run, made as classify_image makes its input."""
    sys.path.insert(0, str(EXAMPLES / CLASSIFIER))
    from calibration import random_square
    from classify_image import CROPPED, normalise

    random = np.random.default_rng(1)
    found = []
    for path in pictures():
        with PIL.Image.open(path) as opened:
            picture = opened.convert("RGB")
        for _ in range(CROPS):
            square = random_square(picture, random).resize((CROPPED, CROPPED), resample=3)
            found.append(normalise(np.asarray(square)))
    return np.concatenate(found)


def pictures() -> list[Path]:
    """The photos' files: none that classify_image calibrates with."""
    data = Path(skimage.__file__).parent / "data"
    flower = Path(sklearn.datasets.__file__).parent / "images" / "flower.jpg"
    return [*sorted(SAMPLES.glob("*.jpg")), *(data / name for name in PHOTOS), flower]
