"""Golden pairs: a model's inputs with its eager float32 outputs, as a file that the build writes and the box reads.

    <n>/in/<input>.npy, <n>/out/<output>.npy     the author's samples
    held<n>/…  stress<n>/…  size<n>/…            the other pairs, see `Pairs`

Needs NumPy. `edgefn.accuracy` judges by them.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgefn.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

_PREFIXES = ("", "held", "stress", "size")

MAX_SAMPLES = 16
"""Samples kept per model: 16 float32 images of 224×224 are 10 MB, and each costs one run at every install."""

MAX_ARRAYS = 100_000
"""Arrays in a file: some thousand pairs of some dozen tensors."""


class GoldenSample(NamedTuple):
    """One call of a model: its input arrays and the eager output arrays, by name."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


class Pairs(NamedTuple):
    """What an artifact of one model is held against.

    samples   the author's samples
    held_out  calibration inputs that nothing was calibrated on
    stress    inputs made of samples, at the samples' sizes: mirrored, mixed, dimmed
    sizes     inputs made of samples, at other sizes of the free dimensions
    """

    samples: tuple[GoldenSample, ...] = ()
    held_out: tuple[GoldenSample, ...] = ()
    stress: tuple[GoldenSample, ...] = ()
    sizes: tuple[GoldenSample, ...] = ()


def write(pairs: Sequence[GoldenSample] | Pairs, path: Path) -> None:
    """Write an .npz whose bytes depend on the arrays alone: stored, sorted names, no times."""
    import numpy as np

    groups = pairs if isinstance(pairs, Pairs) else Pairs(tuple(pairs))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for place, pair in _placed(groups):
            for kind, arrays in (("in", pair.inputs), ("out", pair.outputs)):
                for name in sorted(arrays):
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), allow_pickle=False)
                    member = zipfile.ZipInfo(f"{place}/{kind}/{name}.npy", (1980, 1, 1, 0, 0, 0))
                    archive.writestr(member, buffer.getvalue())


def _placed(groups: Pairs) -> Iterator[tuple[str, GoldenSample]]:
    for prefix, group in zip(_PREFIXES, groups, strict=True):
        yield from ((f"{prefix}{number}", pair) for number, pair in enumerate(group))


def load(path: Path) -> tuple[GoldenSample, ...]:
    """Return the author's samples in `path`, in order. Raise BundleError when it is not a golden file."""
    return load_pairs(path).samples


def load_pairs(path: Path) -> Pairs:
    """Return all pairs in `path`, in order. Raise BundleError when it is not a golden file.

    The file may be hostile: what is taken into memory has at most the bytes of the file.
    """
    found: dict[str, dict[int, dict[str, dict[str, Array]]]] = {prefix: {} for prefix in _PREFIXES}
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            for member in _members(archive, os.fstat(file.fileno()).st_size):
                place, kind, name = member.filename.removesuffix(".npy").split("/", 2)
                prefix = place.rstrip("0123456789")
                pair = found[prefix].setdefault(int(place.removeprefix(prefix)), {"in": {}, "out": {}})
                pair[kind][name] = _array(archive.read(member))
    except (OSError, ValueError, KeyError, EOFError, SyntaxError, RuntimeError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path.name} holds no golden samples ({error}): build the bundle again") from error
    return Pairs(
        *(
            tuple(GoldenSample(group[number]["in"], group[number]["out"]) for number in sorted(group))
            for group in found.values()
        )
    )


def _members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    """Return the members, stored as `write` stores them.

    Raise ValueError where they would be more than the file.
    """
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed, but golden samples are stored uncompressed")
    if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > size:
        raise ValueError(f"it declares {len(members)} arrays, more than the file can hold or than {MAX_ARRAYS}")
    return members


def _array(data: bytes) -> Array:
    """Return the array of an .npy file, of plain numbers. Raise ValueError, also where its header lies."""
    import numpy as np

    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array has a header of a version other than 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "biufc" or fortran or any(length < 0 for length in shape):
        raise ValueError(f"an array is {dtype.str} in an unusual order, not plain numbers in C order")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"an array declares {dtype.str}{list(shape)} but has {len(data)} bytes in all")
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape).copy()
