"""An attempt at int8 as its engine runs it on the samples that nothing was taken from.

Owns what is remembered of each run; what agreement means is the gate's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.accuracy.judge import judge
from edgefn.compile.quantize.search import sensitivity
from edgefn.compile.quantize.search.distance import Distance
from edgefn.compile.quantize.static import levels
from edgefn.golden import Pairs

if TYPE_CHECKING:
    from edgefn.accuracy.bound import Bound
    from edgefn.accuracy.rules import Judging
    from edgefn.accuracy.verdict import Agreement
    from edgefn.compile.quantize.engine import Engine
    from edgefn.compile.quantize.search.attempts import Attempt
    from edgefn.golden import GoldenSample
    from edgefn.session import Session


PRECISION = "int8"


class LayerTrial:
    """Scores an attempt with layers in float, and remembers each agreement."""

    def __init__(
        self,
        attempt: Attempt,
        engine: Engine,
        samples: Sequence[GoldenSample],
        judging: Judging,
        bound: Bound | None,
    ) -> None:
        self._attempt, self._engine, self._samples = attempt, engine, samples
        self._judging, self._bound = judging, bound
        self._distance = Distance(samples)
        self.agreements: dict[tuple[str, ...], Agreement] = {}

    def score(self, kept: tuple[str, ...]) -> sensitivity.Score:
        """Judge the outputs that the engine gives for the validation part, with the layers `kept` in float.

        An attempt passes if there is no sample to judge it by.
        """
        if not self._samples:
            return sensitivity.Score(True, 0.0)
        model = self._attempt.write(kept)
        session, steps = self._engine.opened(model, self._attempt.session), levels.of(model)
        noted = _Noted(session, self._samples, self._distance)
        agreement = judge(noted, Pairs(tuple(self._samples)), self._judging, PRECISION, bound=self._bound, steps=steps)
        self.agreements[kept] = agreement
        return sensitivity.Score(agreement.passed, noted.error)


class _Noted:
    """A session that sums up how far its outputs are from the samples' it is run on, in the samples' order."""

    def __init__(self, session: Session, samples: Sequence[GoldenSample], distance: Distance) -> None:
        self._session, self._wanted, self._distance, self.error = session, iter(samples), distance, 0.0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        outputs = self._session.run(inputs)
        self.error += self._distance.of(outputs, next(self._wanted).outputs)
        return outputs
