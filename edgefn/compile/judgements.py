"""What each model's artifacts are judged by, from the cache or found now: from eager's answers and the captured graph.

Owns when it must be found again. Never imports torch: the graph was read when the network was captured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgefn.accuracy import judging
from edgefn.accuracy.judging import FEW
from edgefn.accuracy.rules import Judging
from edgefn.compile import snapshot, trials
from edgefn.compile.cache import Cache
from edgefn.compile.piece import Piece
from edgefn.errors import BuildError

_FILE = "judging.json"


def known(cache: Cache, piece: Piece) -> Judging | None:
    """Return what an earlier build found."""
    folder = cache.find("judging", piece.judging_key)
    return msgspec.json.decode((folder / _FILE).read_bytes(), type=Judging) if folder else None


def found(cache: Cache, piece: Piece, capture: Path) -> Judging:
    """Return what artifacts of the piece's model are judged by, and keep it. Raises BuildError as `judging.found`."""
    info = snapshot.info(capture)
    pairs = piece.golden.pairs
    answers = list(pairs.samples)
    if len(answers) < FEW:
        answers += [pair for pair in pairs.stress if not trials.is_zero(pair.inputs)]
    made = judging.found(
        info.model.name,
        info.model.outputs,
        answers,
        piece.model.accuracy,
        network=info.network,
        functions=_by_output(piece, list(info.model.outputs)),
        residuals=piece.golden.residuals,
    )
    text = msgspec.json.encode(made)
    cache.make("judging", piece.judging_key, lambda into: (into / _FILE).write_bytes(text))
    return made


def _by_output(piece: Piece, outputs: list[str]) -> judging.Functions:
    slices: Mapping[str, Mapping[str, judging.Cut]] = piece.model.slices
    if "" in slices and len(outputs) != 1:
        raise BuildError(
            f"model {piece.model.spec.name} has the outputs {', '.join(outputs)}, and outputs= cuts slices without "
            "saying of which: name the function's parameter as the output"
        )
    return {owner or outputs[0]: functions for owner, functions in slices.items()}
