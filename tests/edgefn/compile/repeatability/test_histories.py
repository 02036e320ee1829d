"""A network whose answers depend on which input came first, or on how many came, is refused, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture.eager import one_thread
from edgefn.compile.repeatability import histories, purity
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample
from tests.edgefn.compile.networks import network, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def check(forward: Any, fill: Any, samples: int = 3) -> None:
    """Run the samples as recording does, then both checks."""
    builder = network(forward, fill)
    eager = session(builder)
    before = purity.attributes(eager.network)
    inputs = [{"x": np.random.default_rng(n).random((2, 8), np.float32)} for n in range(samples)]
    with one_thread():
        kept = [GoldenSample(one, eager.run(one)) for one in inputs]
        purity.check(eager, kept)
        histories.check(eager, kept, before, lambda: session(builder))


def _empty(net: Any) -> None:
    net.calls, net.first, net.table, net.seen = 0, None, {}, {}


def keeps_the_first(net: Any, x: Any) -> Any:
    """A background is what the first frame shows."""
    net.first = x.mean(0) if net.first is None else net.first
    return (x - net.first).abs()


def scales_by_the_first(net: Any, x: Any) -> Any:
    """A statistic of the first batch, kept in a dict."""
    return x / net.table.setdefault("scale", float(x.std()))


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("forward", "name"), [(keeps_the_first, "first"), (scales_by_the_first, "table")])
def test_what_the_first_input_leaves_is_refused(forward: Any, name: str, samples: int) -> None:
    """Also with a single sample, whose answers repeat: the message names what is kept."""
    with pytest.raises(BuildError, match=rf"depend on the first input: .*self\.{name}.*register_buffer"):
        check(forward, _empty, samples)


def every_hundredth(net: Any, x: Any) -> Any:
    net.calls += 1
    return x * 0 if net.calls % 100 == 0 else x


def warms_up(net: Any, x: Any) -> Any:
    net.calls = net.calls + 1
    return x if net.calls <= 500 else x.relu() - 1


def ends(net: Any, x: Any) -> Any:
    net.calls += 1
    return x * [1.0 for _ in range(1000)][net.calls]


@pytest.mark.parametrize("forward", [every_hundredth, warms_up, ends])
def test_a_count_that_matters_late_is_refused(forward: Any) -> None:
    """At every hundredth call, after five hundred, or no longer at all."""
    with pytest.raises(BuildError, match=r"depend on earlier calls: forward\(\) writes self\.calls"):
        check(forward, _empty)


def fills_a_table(net: Any, x: Any) -> Any:
    import torch

    return x + net.table.setdefault(x.shape[1], torch.arange(float(x.shape[1])))


def counts(net: Any, x: Any) -> Any:
    net.calls += 1
    return x * 2


def keeps_features(net: Any, x: Any) -> Any:
    """As a hook does, for whoever looks at them."""
    net.seen["features"] = x.sum(1)
    return x * 2


def builds_once(net: Any) -> None:
    if getattr(builds_once, "done", False):
        raise RuntimeError("the file is gone")
    builds_once.done = True  # type: ignore[attr-defined]  # what a builder that deletes its download does
    _empty(net)


@pytest.mark.parametrize(
    ("forward", "fill"),
    [(fills_a_table, _empty), (counts, _empty), (keeps_features, _empty), (keeps_features, builds_once)],
)
def test_what_is_written_and_in_no_answer_passes(forward: Any, fill: Any) -> None:
    """A table of positions, a count that nothing reads, features kept for a look; a builder that builds once."""
    check(forward, fill)


def test_the_counts_are_as_they_were() -> None:
    """The check leaves the network as it found it."""
    builder = network(counts, _empty)
    eager = session(builder)
    before = purity.attributes(eager.network)
    sample = GoldenSample(one := {"x": np.ones((2, 8), np.float32)}, eager.run(one))
    histories.check(eager, [sample], before, lambda: session(builder))
    assert eager.network.calls == 1


def test_attributes_of_any_kind_are_compared() -> None:
    """Half and sparse tensors, and views that are not laid out in order."""
    import torch

    def fill(net: Any) -> None:
        net.kept = [torch.ones(3, dtype=torch.bfloat16), torch.eye(3).to_sparse(), torch.ones(2, 4).t(), torch.ones(())]

    check(lambda net, x: x + net.kept[3], fill)
