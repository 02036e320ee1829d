"""A network that remembers, or draws random numbers, is refused as what it is; one that only looks so is not."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import one_thread
from edgefn.compile.repeatability import purity
from edgefn.errors import BuildError, CaptureError
from edgefn.golden import GoldenSample
from tests.edgefn.compile.networks import network, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def check(forward: Any, fill: Any = lambda net: None, samples: int = 3) -> None:
    """Run the samples as recording does, then the check."""
    eager = session(network(forward, fill))
    inputs = [{"x": np.random.default_rng(n).random((2, 8), np.float32)} for n in range(samples)]
    with one_thread():
        purity.check(eager, [GoldenSample(one, eager.run(one)) for one in inputs])


def _buffer(name: str, *shape: int) -> Any:
    def fill(net: Any) -> None:
        import torch

        net.register_buffer(name, torch.zeros(*shape))

    return fill


def _attribute(net: Any) -> None:
    net.step, net.past = 0, []


def remembers_in_a_buffer(net: Any, x: Any) -> Any:
    net.hidden.copy_(net.hidden * 0.5 + x)
    return net.hidden * 2


def remembers_in_an_attribute(net: Any, x: Any) -> Any:
    net.step += 1
    return x * net.step


def remembers_in_a_list(net: Any, x: Any) -> Any:
    net.past.append(x)
    return sum(net.past)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("forward", "fill", "name"),
    [
        (remembers_in_a_buffer, _buffer("hidden", 2, 8), "hidden"),
        (remembers_in_an_attribute, _attribute, "step"),
        (remembers_in_a_list, _attribute, "past"),
    ],
)
def test_a_memory_is_named(forward: Any, fill: Any, name: str, samples: int) -> None:
    """Also with a single sample; the message says what is written, and to make it an input and an output."""
    with pytest.raises(BuildError, match=rf"depend on earlier calls: .*self\.{name}.*an input and an output"):
        check(forward, fill, samples)


def drops(net: Any, x: Any) -> Any:
    from torch.nn import functional

    return functional.dropout(x, 0.5)


def trains(net: Any, x: Any) -> Any:
    return net.layer.train()(x)


def drops_all(net: Any) -> None:
    import torch

    net.layer = torch.nn.Dropout(0.5)


def draws(net: Any, x: Any) -> Any:
    import torch

    return x + torch.randn_like(x)


def rarely_seen(net: Any, x: Any) -> Any:
    """The noise changes the answer in one call of four."""
    import torch

    return (x + torch.rand(()) > 0.75).any()[None]


@pytest.mark.parametrize(
    ("forward", "fill", "message"),
    [
        (drops, None, r"random \(dropout, File .*test_purity.py.*functional\.dropout.*training=self\.training"),
        (trains, drops_all, r"random \(dropout, .*test_purity.py.*neither \.train\(\)"),
        (draws, None, r"random \(randn_like, File .*x \+ torch\.randn_like\(x\)\).*make the noise an input"),
        (lambda net, x: x * random.random(), None, r"answers are random: make the noise an input"),
        (lambda net, x: x * float(np.random.rand()), None, r"answers are random: make the noise an input"),
    ],
    ids=["dropout", "train", "randn", "random", "numpy"],
)
def test_chance_is_named(forward: Any, fill: Any, message: str) -> None:
    """The operator and the author's line, and what to write."""
    with pytest.raises(BuildError, match=message):
        check(forward, fill or (lambda net: None))


def test_what_changes_otherwise_is_said() -> None:
    """Neither a generator nor an attribute: a global counter, a clock."""
    calls = itertools.count()
    with pytest.raises(BuildError, match="answers the same input differently each time"):
        check(lambda net, x: x + next(calls))


def _table(net: Any) -> None:
    net.table = None


def grows_a_table(net: Any, x: Any) -> Any:
    """A table that the first call fills, as positional encodings are."""
    import torch

    if net.table is None:
        net.table = torch.arange(8.0)
    return x + net.table


def counts(net: Any, x: Any) -> Any:
    net.calls.add_(1)
    return x * 2


def draws_for_nothing(net: Any, x: Any) -> Any:
    import torch

    torch.rand(3)
    return x * 2


def writes_its_input(net: Any, x: Any) -> Any:
    return x.mul_(2).relu_()


@pytest.mark.parametrize(
    ("forward", "fill"),
    [
        (grows_a_table, _table),
        (counts, _buffer("calls", 1)),
        (draws_for_nothing, None),
        (writes_its_input, None),
    ],
)
def test_what_gives_the_same_answers_passes(forward: Any, fill: Any) -> None:
    """A filled table, a counter that nothing reads, unused random numbers, steps in place into the input."""
    check(forward, fill or (lambda net: None))


def delays(net: Any, x: Any) -> Any:
    """Answers with the input of four calls ago: three samples show nothing of it."""
    import torch

    net.line.copy_(torch.cat([net.line[2:], x[:2]]))
    return net.line[:2] * 2


def seeds_itself(net: Any, x: Any) -> Any:
    import torch

    return x + torch.rand(8, generator=torch.Generator().manual_seed(0))


def writes_before_it_reads(net: Any, x: Any) -> Any:
    net.line[:8].copy_(x.sum(0, keepdim=True).expand(8, 8))
    return x + net.line[:8].sum(0)


def test_a_memory_that_shows_late_is_seen_in_the_program() -> None:
    """The buffer reaches an output, so its former value is part of the answer."""
    check(delays, _buffer("line", 10, 8))
    with pytest.raises(CaptureError, match=r"depend on earlier calls: forward\(\) writes self\.line.*an output"):
        capture(session(network(delays, _buffer("line", 10, 8))))


def test_a_scratch_buffer_passes() -> None:
    """It is written before it is read, so what an earlier call left in it is in no answer."""
    capture(session(network(writes_before_it_reads, _buffer("line", 10, 8))))


def test_numbers_of_a_seeded_generator_are_refused() -> None:
    """They repeat in eager PyTorch, and an artifact would draw others."""
    check(seeds_itself)
    with pytest.raises(CaptureError, match=r"draws random numbers \(rand, File .*networks.*register_buffer"):
        capture(session(network(seeds_itself)))
