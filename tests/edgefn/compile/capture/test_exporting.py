"""Free dimensions as torch finds them: ranges, what is refused, and recurrent layers, held against eager PyTorch."""

from __future__ import annotations

import importlib.metadata
import random
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

from edgefn import Dim, tensor
from edgefn.backends import get
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.dimensions import dimensions
from edgefn.compile.dimensions.guards import drawn
from edgefn.compile.lower.aotinductor.recurrent import check_unrolls
from edgefn.dimensions.sizes import combined, words
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec, SizeRange, TensorSpec
from edgefn.targets.profiles import target

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

BUILD_S = 60.0
"""Of a layer with 400 fixed steps on a busy machine; unrolled it took 103 s on a quiet one."""


def session(network: Any, **inputs: TensorSpec) -> EagerSession:
    """A session of a ready network; its inputs in order."""
    return EagerSession(lambda: network, ModelSpec("net", inputs, {}, combined(inputs, "net")))


def of(forward: Any, *layers: Any, **inputs: TensorSpec) -> EagerSession:
    """A session of `forward(*layers, *inputs)`."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(layers)

        def forward(self, *tensors: Any) -> Any:
            return forward(*self.layers, *tensors)

    torch.manual_seed(0)
    return session(Net(), **inputs)


def check(eager: EagerSession, captured: Capture, sizes: Mapping[str, int], *, rounds: int = 8) -> None:
    """The ONNX computes what eager PyTorch does, for random lengths in the ranges, the least ones among them."""
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    source, numbers = random.Random(0), np.random.default_rng(0)
    ranges = {word: captured.model.ranges.get(word, SizeRange()) for word in words(eager.spec.inputs.values())}
    for number in range(rounds):
        lengths = {
            word: drawn(allowed, sizes[word], source) if number else allowed.tightened().min
            for word, allowed in ranges.items()
        }
        inputs = {
            name: numbers.standard_normal([size if isinstance(size, int) else lengths[size] for size in one.shape])
            for name, one in eager.spec.inputs.items()
        }
        floats = {name: array.astype(np.float32) for name, array in inputs.items()}
        wanted: Any = eager.run(floats)
        for found, other in zip(artifact.run(floats).values(), wanted.values(), strict=True):
            assert found.shape == other.shape, lengths
            np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-4 * np.abs(other).max(initial=1e-6))


def test_a_network_that_halves_and_doubles_takes_multiples() -> None:
    """As a U-Net does: the report says of what, and within what was declared."""
    import torch
    from torch import nn

    eager = of(
        lambda down, again, up, x: torch.cat([down(x), up(again(down(x)))], 1),
        nn.Conv2d(3, 4, 3, 2, 1),
        nn.Conv2d(4, 4, 3, 2, 1),
        nn.Upsample(scale_factor=2),
        x=tensor("float32", "batch", 3, Dim("height", max=250), "width"),
    )
    sizes = {"batch": 1, "height": 64, "width": 96}
    captured = capture(eager, sizes)
    assert captured.model.ranges == {"height": SizeRange(4, 248, 4), "width": SizeRange(4, None, 4)}
    assert captured.model.outputs["output"].shape[2:] == ("1 + (((-1) + height) // 2)", "1 + (((-1) + width) // 2)")
    check(eager, captured, sizes)


def test_a_table_of_positions_ends_the_range() -> None:
    """Slices of a table of 64 rows; batch and head count cannot be taken for the length."""
    from torch import nn

    eager = of(
        lambda table, x: x + table.weight[: x.shape[1]], nn.Embedding(64, 8), x=tensor("float32", "batch", "length", 8)
    )
    captured = capture(eager, {"batch": 1, "length": 8})
    assert captured.model.ranges == {"length": SizeRange(1, 64)}
    check(eager, captured, {"batch": 1, "length": 8})


def test_what_is_fixed_or_tied_is_refused_with_the_words() -> None:
    """Never taken as fixed without a word."""
    from torch import nn

    flat = of(lambda layer, x: layer(x.flatten(1)), nn.Linear(64, 2), x=tensor("float32", "batch", "height", "width"))
    with pytest.raises(BuildError, match=r"height and width are not free; .* only works for height = 8, width = 8"):
        capture(flat, {"batch": 1, "height": 8, "width": 8})
    both = of(lambda a, b: a + b, a=tensor("float32", "left", 4), b=tensor("float32", "right", 4))
    with pytest.raises(BuildError, match=r"depend on each other.*(left == right|right == left).*the same word"):
        capture(both, {"left": 3, "right": 3})


def test_what_fixes_a_length_is_told_with_its_line() -> None:
    """The author's own, where torch's guard is deep in an operator; for a range that ends before the samples too."""
    import torch

    weights = torch.ones(60, 2)

    def fixing(x: Any) -> Any:
        flat = x.flatten(1)
        return flat @ weights  # here

    eager = of(fixing, x=tensor("float32", "batch", 4, "n"))
    with pytest.raises(
        BuildError, match=r'n = 15 \(File ".*test_exporting.py", line \d+, in fixing: .*# here\)\. Write'
    ):
        capture(eager, {"batch": 2, "n": 15})
    squeezed = of(lambda x: x * 2 if x.shape[0] > 1 else x[0], x=tensor("float32", "batch", 4))  # here
    with pytest.raises(BuildError, match=r"those are 2 or more; File .*# here\)"):
        capture(squeezed, {"batch": 1})


@pytest.mark.parametrize("last", [1, 2, 5])
def test_what_a_network_keeps_of_its_last_call_fixes_nothing(last: int) -> None:
    """A grid that is made anew for another batch: whichever the samples had, the batch is free."""
    import torch

    class Cached(torch.nn.Module):
        shape: Any = None
        grid: Any = None

        def forward(self, x: Any) -> Any:
            if self.shape != x.shape:
                self.shape, self.grid = x.shape, torch.arange(x.shape[1]) * 0.5
            return x + self.grid

    eager = session(Cached(), x=tensor("float32", "batch", 6))
    eager.run({"x": np.zeros((last, 6), np.float32)})
    captured = capture(eager, {"batch": last})
    assert captured.model.ranges == {}
    check(eager, captured, {"batch": last})


def test_a_squeeze_of_a_free_dimension_keeps_the_length_of_1_out() -> None:
    """`squeeze()` gives another rank for one row; torch writes no condition down, the trial at 1 shows it."""
    eager = of(lambda x: x.mean(1).squeeze(), x=tensor("float32", "batch", 4))
    captured = capture(eager, {"batch": 3})
    assert captured.model.ranges == {"batch": SizeRange(2)}
    assert captured.model.outputs["output"].shape == ("batch",)
    with pytest.raises(
        BuildError, match=r"samples have batch = 1, .* other lengths \(those are 2 or more\); name the dimension"
    ):
        capture(eager, {"batch": 1})


def test_a_batch_of_one_stays_where_a_guard_is_about_memory_alone() -> None:
    """torch writes `batch != 1` of attention; a run at 1 shows that no answer depends on it."""
    import torch

    eager = of(
        lambda layer, x: layer(x, x, x)[0],
        torch.nn.MultiheadAttention(16, 4, batch_first=True),
        x=tensor("float32", "batch", "length", 16),
    )
    captured = capture(eager, {"batch": 1, "length": 9})
    assert any("!= 1" in guard for guard in captured.program._guards_code)
    assert captured.model.ranges == {}


def test_a_batch_of_one_stays_beside_a_normalisation() -> None:
    """PyTorch refuses to normalise one number alone: of batch, height and width it is the last that is 2 or more."""
    import torch

    normalised = of(
        lambda layer, x: layer(x), torch.nn.GroupNorm(3, 3), x=tensor("float32", "batch", 3, "height", "width")
    )
    assert capture(normalised).model.ranges == {"width": SizeRange(2)}


def test_examples_are_unlike_each_other_and_what_is_fixed() -> None:
    """Two at least; multiples of the samples' lengths first; the samples' own last. Declared ranges are kept."""
    spec = ModelSpec(
        "net",
        {"x": TensorSpec("float32", ("batch", 3, "height", "width")), "m": TensorSpec("float32", ("batch", "tokens"))},
        ranges={"tokens": SizeRange(10, 20, 5)},
    )
    sizes = {"batch": 1, "height": 224, "width": 224, "tokens": 10}
    sets = list(dimensions.examples(spec, sizes, {5, 7, 64}))
    assert sets[0] == {"batch": 11, "height": 224, "width": 448, "tokens": 10}
    assert sets[-1] == {"batch": 2, "height": 224, "width": 224, "tokens": 10}
    for lengths in sets[:-1]:
        assert len(set(lengths.values()) - {3}) == len(lengths)
        assert min(lengths.values()) >= 2
    assert all(lengths["tokens"] in spec.ranges["tokens"] for lengths in sets)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
        ("GRU", {"num_layers": 2, "bidirectional": True, "bias": False}),
        ("RNN", {"num_layers": 2, "bidirectional": True, "nonlinearity": "relu"}),
        ("RNN", {"batch_first": True, "bias": False}),
    ],
)
def test_recurrent_layers_take_any_time(kind: str, options: dict[str, Any]) -> None:
    """Both directions, several layers, without bias, states out: one operator a layer, right for any length."""
    import torch

    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)(5, 6, **options)
    axes = ("batch", "time") if options.get("batch_first") else ("time", "batch")

    def forward(layer: Any, x: Any) -> Any:
        y, states = layer(x)
        return (y, *states) if isinstance(states, tuple) else (y, states)

    eager = of(forward, layer, x=tensor("float32", *axes, 5))
    captured = capture(eager, {"batch": 1, "time": 7})
    assert captured.model.ranges == {}
    check(eager, captured, {"batch": 3, "time": 20})


def test_aotinductor_refuses_what_it_would_unroll() -> None:
    """With what to do; TorchScript has the layer as it is."""
    import torch

    from edgefn.compile.lower.torchscript.tracing import trace

    for steps, told in (("time", "any number of steps"), (400, "has 400 steps")):
        captured = capture(of(lambda layer, x: layer(x)[0], torch.nn.GRU(4, 4), x=tensor("float32", steps, "n", 4)), {})
        with pytest.raises(
            BuildError, match=rf"net: aotinductor unrolls recurrent layers, .* {told}; leave this target"
        ):
            check_unrolls(captured.program, "net")
    scripted = trace(captured, target("x86-64-v3/fp32@torchscript"))
    x = torch.rand(400, 3, 4)
    torch.testing.assert_close(scripted(x)[0], captured.program.module(check_guards=False)(x)[0])


def test_a_fixed_time_is_not_unrolled() -> None:
    """400 steps take no longer than four."""
    import torch

    eager = of(lambda layer, x: layer(x)[0], torch.nn.GRU(4, 4), x=tensor("float32", 400, "batch", 4))
    started = time.monotonic()
    captured = capture(eager, {"batch": 1})
    check(eager, captured, {"batch": 2}, rounds=2)
    assert time.monotonic() - started < BUILD_S


def test_an_lstm_with_a_projection_is_refused_with_what_to_write() -> None:
    """ONNX has none, and the exporter would leave it out without a word."""
    import torch

    layer = torch.nn.LSTM(4, 6, proj_size=2)
    captured = capture(of(lambda layer, x: layer(x)[0], layer, x=tensor("float32", "time", 1, 4)), {"time": 5})
    with pytest.raises(BuildError, match=r"no LSTM with proj_size.*torch\.nn\.Linear\(hidden_size, proj_size"):
        captured.onnx(20)


def _is_for_this_torch(package: str) -> bool:
    try:
        required = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return False
    needs = {one.name: one.specifier for one in map(Requirement, required)}
    return needs["torch"].contains(importlib.metadata.version("torch"))


def test_how_many_boxes_are_left_is_not_assumed() -> None:
    """A branch for fewer than two is refused, never left out; and one box alone may come in."""
    if not _is_for_this_torch("torchvision"):
        pytest.skip("no torchvision for this PyTorch")
    import torchvision

    kept: Any = torchvision.ops.nms

    def branching(x: Any) -> Any:
        places = kept(x, x[:, 0], 0.5)
        return x[places] * 0 if places.numel() < 2 else x[places]  # here

    boxes = tensor("float32", "n", 4)
    with pytest.raises(BuildError, match=r"a branch depends on a tensor's values .*# here"):
        capture(of(branching, x=boxes), {"n": 5})
    captured = capture(of(lambda x: x[kept(x, x[:, 0], 0.5)[:10]], x=boxes), {"n": 5})
    assert captured.model.ranges == {}
