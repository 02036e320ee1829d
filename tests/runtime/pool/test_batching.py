"""What instances have measured of batching, as status shows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgefn.api.functions import BatchingFigures
from edgefn.bundle.config import ModelEntry
from edgefn.spec import Batching, ModelSpec
from edgefn_runtime.pool.batching import figures
from edgefn_runtime.wire.messages import Batched

NET = ModelEntry(ModelSpec("net", {}), batching=Batching(8, 0.002))


@dataclass
class Told:
    """An instance that has told this."""

    batching: dict[str, Batched] = field(default_factory=dict)


def test_the_means_over_those_that_have_measured() -> None:
    """Models without batch are left out; what an instance says of others is not looked at."""
    one = Told({"net": Batched("net", True, 6.0, 2.0), "other": Batched("other", True, 1.0, 9.0)})
    two = Told({"net": Batched("net", False, 2.0, 1.0)})
    (found,) = figures([NET, ModelEntry(ModelSpec("plain", {}))], [one, Told(), two])
    assert found == BatchingFigures("net", 8, 0.002, on=True, mean_rows=4.0, gain=1.5, instances=2)
    (unknown,) = figures([NET], [Told()])
    assert (unknown.on, unknown.gain, unknown.instances) == (None, None, 0)
