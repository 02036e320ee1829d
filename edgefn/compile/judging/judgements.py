"""What each model's artifacts are judged by, from the cache or found now, once the network is captured.

    judging.json  slices and spread, from eager's answers and the captured graph
    sizes.npz     eager's answers at other sizes than the samples', of those that the network takes
    tried.json    sizes that eager does not run at

Owns when they must be found again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import golden
from edgefn.accuracy import judging
from edgefn.accuracy.judging import FEW
from edgefn.accuracy.rules import Judging
from edgefn.compile.artifacts.plan import ArtifactPlan
from edgefn.compile.cache.cache import Cache
from edgefn.compile.capture import snapshot
from edgefn.compile.judging.judgement import JUDGING, SIZES, TRIED, Judgement
from edgefn.compile.samples import trials
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample, Pairs

if TYPE_CHECKING:
    from edgefn.compile.capture.eager import EagerSession
    from edgefn.compile.capture.snapshot import SnapshotInfo
    from edgefn.model import EdgeModel


def known(cache: Cache, piece: ArtifactPlan) -> Judgement | None:
    """Return the judgement of an earlier build; None if there is none."""
    folder = cache.find("judging", piece.judging_key)
    return Judgement(folder) if folder else None


def found(cache: Cache, piece: ArtifactPlan, capture: Path, session: Callable[[], EagerSession]) -> Judgement:
    """Find and keep the judgement for the artifacts of the piece's model.

    Raises BuildError as `judging.found`.
    """
    from edgefn.compile.samples import answering

    info = snapshot.info(capture)
    made = _judging(piece, info)
    pairs, refused = answering.sizes(session(), info.model, piece.golden.samples, info.telling)

    def fill(into: Path) -> None:
        (into / JUDGING).write_bytes(msgspec.json.encode(made))
        golden.write(Pairs(sizes=tuple(pairs)), into / SIZES)
        (into / TRIED).write_bytes(msgspec.json.encode(refused))

    return Judgement(cache.make("judging", piece.judging_key, fill))


def _judging(piece: ArtifactPlan, info: SnapshotInfo) -> Judging:
    return judging.found(
        info.model.name,
        info.model.outputs,
        _answers(piece.golden.pairs),
        piece.model.accuracy,
        network=info.network,
        functions=by_output(piece.model, list(info.model.outputs)),
        residuals=piece.golden.residuals,
    )


def _answers(pairs: Pairs) -> Sequence[GoldenSample]:
    """Return the answers that show how far eager's answer moves.

    If the samples are few, the inputs made of them are added.
    """
    made = [pair for pair in pairs.stress if not trials.is_zero(pair.inputs)]
    return pairs.samples if len(pairs.samples) >= FEW else [*pairs.samples, *made]


def by_output(model: EdgeModel, outputs: Sequence[str]) -> judging.Functions:
    """Return the functions that cut slices of the network's `outputs`.

    Raises BuildError for one that cuts none.
    """
    found: dict[str, dict[str, judging.Cut]] = {}
    for owner, functions in model.slices.items():
        for name, function in functions.items():
            found.setdefault(owner or _owner(model.spec.name, name, function, outputs), {})[name] = function
    return found


def _owner(model: str, name: str, function: judging.Cut, outputs: Sequence[str]) -> str:
    """Return the one of the network's `outputs` that a function cuts.

    It is the only one, or the one that the function's parameter names.
    """
    parameter = next(iter(inspect.signature(function).parameters))
    if len(outputs) == 1:
        return outputs[0]
    if parameter in outputs:
        return parameter
    raise BuildError(
        f"model {model}: outputs={{{name!r}: …}} cuts one of the outputs {', '.join(outputs)}, and does not say which: "
        f"name the function's parameter as the output, e.g. lambda {outputs[0]}: {outputs[0]}[..., :4]"
    )
