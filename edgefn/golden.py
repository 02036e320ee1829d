"""Golden samples: a model's real inputs with its eager float32 outputs, and how far an artifact is from them.

The build writes the file and the box reads it; both call `compare`, so a figure printed at build and one printed
at install mean the same. Needs NumPy; never imports torch or an inference stack, and never decides what happens
to an artifact that is out of bound.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edgefn.batching import Accompanied
from edgefn.bundle.config import Bound
from edgefn.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.backends.backend import Session

    Array = NDArray[np.generic]

MAX_SAMPLES = 16
"""Samples kept per model: 16 float32 images of 224×224 are 10 MB, and each costs one run at every install."""

SCALE_FLOOR = 1e-6
"""Least max |eager| that an error is taken relative to, so that an all-zero output does not divide by zero."""

TIE = 1e-6
"""Eager scores closer than this, relative to their row's largest, are a tie: float32 does not order them."""


class GoldenSample(NamedTuple):
    """One call of a model: its input arrays and the eager output arrays, by name."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


class Agreement(msgspec.Struct, frozen=True):
    """How an artifact did on the golden samples.

    max_error   the worst output's max |artifact - eager| over max |eager|; infinite when it cannot be told
    top1        share of rows (integer outputs: of elements) that agree; None where the bound asks for none
    samples     golden samples that were run
    passed      whether the bound is kept
    reason      why not, for a person; empty when passed
    """

    max_error: float
    top1: float | None
    samples: int
    passed: bool
    reason: str = ""

    def __str__(self) -> str:
        top1 = "" if self.top1 is None else f", top-1 agreement {self.top1:.3f}"
        return f"max error {self.max_error:.1e}{top1} on {self.samples} golden samples"


def write(samples: Sequence[GoldenSample], path: Path) -> None:
    """Writes an .npz whose bytes depend on the arrays alone: stored, sorted names, no times."""
    import numpy as np

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, sample in enumerate(samples):
            for kind, arrays in (("in", sample.inputs), ("out", sample.outputs)):
                for name in sorted(arrays):
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), allow_pickle=False)
                    member = zipfile.ZipInfo(f"{number}/{kind}/{name}.npy", (1980, 1, 1, 0, 0, 0))
                    archive.writestr(member, buffer.getvalue())


def load(path: Path) -> tuple[GoldenSample, ...]:
    """The samples in `path`, in order. Raises BundleError when it is not a golden file."""
    import numpy as np

    found: dict[int, dict[str, dict[str, Array]]] = {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for key in archive.files:
                number, kind, name = key.split("/", 2)
                found.setdefault(int(number), {"in": {}, "out": {}})[kind][name] = archive[key]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path.name} holds no golden samples ({error}): build the bundle again") from error
    return tuple(GoldenSample(found[number]["in"], found[number]["out"]) for number in sorted(found))


def compare(session: Session, golden: Iterable[GoldenSample], bound: Bound) -> Agreement:
    """Runs every sample through `session` and holds the outputs against the eager ones.

    The error of an output is max |artifact - eager| over max |eager|, both over all samples. NaN, infinity, a
    missing output or another shape or dtype fail, whatever the bound.
    """
    errors: dict[str, tuple[float, float]] = {}
    agreeing = rows = count = 0
    for count, sample in enumerate(golden, 1):
        outputs = session.run(sample.inputs)
        for name, eager in sample.outputs.items():
            if reason := _mismatch(name, outputs.get(name), eager):
                return Agreement(math.inf, None, count, False, f"sample {count - 1}: {reason}")
            difference, scale = _distance(outputs[name], eager)
            worst = errors.get(name, (0.0, SCALE_FLOOR))
            errors[name] = (max(worst[0], difference), max(worst[1], scale))
            agreed, of = _top1(outputs[name], eager)
            agreeing, rows = agreeing + agreed, rows + of
    if not count:
        return Agreement(math.inf, None, 0, False, "there are no golden samples")
    top1 = agreeing / rows if rows and bound.top1 is not None else None
    max_error = max((difference / scale for difference, scale in errors.values()), default=0.0)
    reason = _verdict(max_error, top1, bound)
    return Agreement(max_error, top1, count, not reason, reason)


def compare_served(session: Session, golden: Sequence[GoldenSample], bound: Bound, *, batched: bool) -> Agreement:
    """As `compare`, as a box will serve it: with `batched`, each sample beside another in one run, too."""
    alone = compare(session, golden, bound)
    if not batched or not alone.passed:
        return alone
    accompanied = compare(Accompanied(session), golden, bound)
    if accompanied.passed:
        return alone
    reason = f"run together with another call its answer changes ({accompanied.reason}): leave batch= out"
    return msgspec.structs.replace(accompanied, reason=reason)


def _verdict(max_error: float, top1: float | None, bound: Bound) -> str:
    if not max_error <= bound.max_error:
        return f"max error {max_error:.2e} is over its bound {bound.max_error:.2e}"
    if top1 is not None and bound.top1 is not None and top1 < bound.top1:
        return f"top-1 agreement {top1:.3f} is under its bound {bound.top1:.3f}"
    return ""


def _mismatch(name: str, output: Array | None, eager: Array) -> str:
    import numpy as np

    if output is None:
        return f"output {name!r} is missing"
    if (output.dtype, output.shape) != (eager.dtype, eager.shape):
        return f"output {name!r} is {output.dtype}{output.shape}, eager {eager.dtype}{eager.shape}"
    if not np.isfinite(output).all():
        return f"output {name!r} holds NaN or infinity"
    return "" if np.isfinite(eager).all() else f"the eager output {name!r} holds NaN or infinity"


def _distance(output: Array, eager: Array) -> tuple[float, float]:
    """(max |output - eager|, max |eager|), in float64."""
    import numpy as np

    wanted = eager.astype(np.float64)
    difference = np.abs(output.astype(np.float64) - wanted)
    return float(difference.max(initial=0.0)), float(np.abs(wanted).max(initial=0.0))


def _top1(output: Array, eager: Array) -> tuple[int, int]:
    """(rows that agree, rows): the artifact's argmax is one of the eager row's largest. Integers: equal elements."""
    import numpy as np

    if not np.issubdtype(eager.dtype, np.floating):
        return int((output == eager).sum()), eager.size
    if eager.ndim == 0 or eager.shape[-1] < 2 or eager.size == 0:
        return 0, 0
    wanted = eager.reshape(-1, eager.shape[-1]).astype(np.float64)
    chosen = output.reshape(wanted.shape).argmax(axis=1)
    largest = wanted.max(axis=1)
    slack = TIE * np.abs(wanted).max(axis=1)
    return int((wanted[np.arange(len(wanted)), chosen] >= largest - slack).sum()), len(wanted)
