"""Photos that int8 ranges are taken from: crops of pictures that scikit-image, scikit-learn and Matplotlib carry.

None of them is among `samples/`, which the artifacts are held against. Needed at build alone, so imported there alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

PHOTOS = ("motorcycle_left.png", "motorcycle_right.png", "coins.png", "grass.png", "brick.png", "color.png")
"""Of skimage/data. Scans, logos and drawings are left out: ranges that span them serve photos worse."""

CROPS = 24
"""Of each picture."""


def crops() -> Iterator[dict[str, NDArray[np.float32]]]:
    """The network's inputs, "pixels" of [1, 3, 224, 224], for random squares of each picture; the same each time."""
    from classify_image import CROPPED, normalise

    random = np.random.default_rng(0)
    for picture in _pictures():
        for _ in range(CROPS):
            square = random_square(picture, random).resize((CROPPED, CROPPED), resample=3)
            yield {"pixels": normalise(np.asarray(square))}


def random_square(picture: Image, random: np.random.Generator) -> Image:
    """A square of half to all of the shorter side, anywhere in `picture`."""
    side = int(min(picture.size) * random.uniform(0.5, 1))
    left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
    return picture.crop((left, top, left + side, top + side))


def _pictures() -> Iterator[Image]:
    import matplotlib
    import PIL.Image
    import skimage
    import sklearn.datasets

    for path in (
        Path(sklearn.datasets.__file__).parent / "images" / "china.jpg",
        *(Path(skimage.__file__).parent / "data" / name for name in PHOTOS),
        Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg",
    ):
        with PIL.Image.open(path) as picture:
            yield picture.convert("RGB")
