"""Crops of the photos of scikit-image, each with the number of its photo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = "astronaut brick camera cell chelsea coffee coins grass gravel ihc moon rocket"


def crops(each: int, seed: int) -> Iterator[tuple[NDArray[np.float32], int]]:
    """`each` random crops [1, 3, 224, 224] of every photo, from -1 to 1."""
    import PIL.Image
    import skimage

    random = np.random.default_rng(seed)
    folder = Path(skimage.__file__).parent / "data"
    for number, name in enumerate(NAMES.split()):
        (path,) = folder.glob(f"{name}.[jp]*g")
        with PIL.Image.open(path) as opened:
            picture = opened.convert("RGB")
        for _ in range(each):
            side = int(min(picture.size) * random.uniform(0.6, 1))
            left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
            square = picture.crop((left, top, left + side, top + side)).resize((224, 224))
            yield (np.asarray(square, np.float32).transpose(2, 0, 1)[np.newaxis] / 127.5 - 1), number
