"""An engine against another one on the same file, so that eight bits' wide limits hide no wrong operator.

The reference is ONNX Runtime with every optimisation off: it dequantises, computes in float32 and quantises again, node
by node, as the file says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edgefn.accuracy.judge import judge, judge_served
from edgefn.accuracy.limits import INT8
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging
from edgefn.golden import GoldenSample, Pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgefn.accuracy.bound import Bound
    from edgefn.session import Session

FILE = "model.onnx"

SAMPLES = 4
"""Samples that both engines run."""

APART = 0.5
"""How far two engines may be apart on one file, by what an artifact may be off from eager."""


def apart(portable: Path, session: Session, samples: Sequence[GoldenSample], judging: Judging) -> str:
    """Return how `session` deviates from the ONNX file in `portable`, or an empty string."""
    if not (portable / FILE).exists():
        return ""
    reference = literal(portable / FILE)
    wanted = tuple(GoldenSample(one.inputs, _named(reference.run(one.inputs), judging)) for one in samples[:SAMPLES])
    limit = judging.accuracy.error_of("int8") or INT8.error
    known = dict.fromkeys(judging.outputs, "eager's answers judge that")
    accuracy = Accuracy(error=APART * limit, top1=0.0, classes={}, unproven=known)
    found = judge(session, Pairs(wanted), msgspec.structs.replace(judging, accuracy=accuracy), "int8")
    return "" if found.passed else found.reason


def _named(outputs: Mapping[str, NDArray[Any]], judging: Judging) -> dict[str, NDArray[Any]]:
    """Return the network's own of the `outputs` of a file."""
    return {name: outputs[name] for name in judging.outputs}


class Guilt(NamedTuple):
    """The cause of an artifact's wrong answers, in words, and the remedy."""

    what: str
    do: str


ENGINE = Guilt(
    "the file answers right as it stands, its engine changes the answer",
    "leave this target out, or write that step with other operators",
)
EXPORT = Guilt(
    "the file itself answers so: its translation to ONNX does",
    "write that step with other operators, or say what is near enough with accuracy=",
)


def guilty(
    portable: Path, pairs: Pairs, judging: Judging, precision: str, *, bound: Bound | None, batched: bool
) -> Guilt | None:
    """Return the cause of the wrong answers of the artifact in `portable`; None where it is unknown.

    The artifact's answers differ from eager PyTorch's. It is judged as its file stands, no node optimised, by the same
    judges.
    """
    if not (portable / FILE).exists() or precision.startswith("int"):
        return None
    try:
        found = judge_served(literal(portable / FILE), pairs, judging, precision, bound=bound, batched=batched)
    except Exception:  # an engine's own classes; it is no better judge then
        return None
    return ENGINE if found.passed else EXPORT


def literal(path: Path) -> Session:
    """Return a session of the file at `path` that runs each node as it stands."""
    from edgefn.backends.onnxruntime.session import OnnxSession
    from edgefn.compile.files import onnx_source

    return OnnxSession(onnx_source.session(path, path.name))
