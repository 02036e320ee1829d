"""What an author reads of a network that does not build: one line, with the step, the author's line and the way out."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import backends
from edgefn.compile.author import blame
from edgefn.compile.author.usercode import blaming
from edgefn.compile.capture.capture import capture
from edgefn.errors import BuildError, BundleError, CaptureError
from edgefn.spec import TensorSpec
from tests.edgefn.compile.networks import network, onnx_of, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

MAX_LETTERS = 700
X = np.ones((3, 8), np.float32)


def _t() -> Any:
    import torch

    return torch


def branches(net: Any, x: Any) -> Any:
    return x if x.sum() > 0 else -x


def takes_item(net: Any, x: Any) -> Any:
    return x[:, : int(x.sum().item())]


def loops(net: Any, x: Any) -> Any:
    order = x[:, 0].argsort()
    while x[order[0], 0] > 0:
        x = x - 1
    return x


def asserts(net: Any, x: Any) -> Any:
    assert x.max() < 100, "too large"
    return x


def calls_numpy(net: Any, x: Any) -> Any:
    return _t().from_numpy(np.tanh(x.numpy()))


def formats(net: Any, x: Any) -> Any:
    print(f"mean {x.mean():.2f}")
    return x * 2


def multiplies_sparse(net: Any, x: Any) -> Any:
    return _t().sparse.mm(net.eye, x.T).T


def _sparse(net: Any) -> None:
    net.register_buffer("eye", _t().eye(8).to_sparse())


def draws(net: Any, x: Any) -> Any:
    return x + _t().randn(x.shape, generator=_t().Generator().manual_seed(3))


def scores_samples(net: Any, x: Any) -> Any:
    # True is the default, until something in this process is compiled by torch.compile.
    return _t().distributions.Normal(x, x.exp(), validate_args=True).log_prob(x * 2)


def looks_up(net: Any, x: Any) -> Any:
    return x * {3: 2.0}.get(x.shape[0], 1.0)


LINE = r"\(File \".*test_messages\.py\", line \d+, in {}: {}\)"


@pytest.mark.parametrize(
    ("forward", "fill", "what", "code", "do"),
    [
        (
            branches,
            None,
            "a branch depends on a tensor's values",
            r"return x if x\.sum\(\).*",
            "torch.where or torch.cond",
        ),
        (
            takes_item,
            None,
            "a tensor's values are converted to a Python number",
            r"return x\[:.*",
            "masks, torch.where",
        ),
        (loops, None, "a loop runs as often as", r"while x\[order.*", "loop a fixed number of times"),
        (asserts, None, "values are checked in forward", r"assert x\.max.*", "leave out the check"),
        (calls_numpy, None, r"forward\(\) calls NumPy", r"return _t\(\)\.from_numpy.*", "with the functions of torch"),
        (formats, None, "prints or formats a tensor's values", r"print\(f.*", "leave out the print, log or f-string"),
        (looks_up, None, "a free length is looked up in a dict", r"return x \* .*", "write the length as a number"),
        (scores_samples, None, "a distribution checks", r"return _t\(\)\.dist.*", "validate_args=False"),
        (draws, None, "draws random numbers of a free size", r"return x \+ .*", "make the noise an input"),
        (multiplies_sparse, _sparse, "sparse tensors cannot be", r"return _t\(\)\.sparse.*", r"\.to_dense\(\)"),
    ],
    ids=["branch", "item", "loop", "assert", "numpy", "format", "lookup", "distribution", "noise", "sparse"],
)
def test_what_cannot_be_captured(
    forward: Callable[..., Any], fill: Any, what: str, code: str, do: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line in the author's words; PyTorch's trace and the graph that it prints are not shown."""
    with pytest.raises(CaptureError) as caught:
        capture(session(network(forward, fill or (lambda net: None))))
    line = LINE.format(forward.__name__, code)
    assert re.fullmatch(rf"model net does not export: .*{what}.* {line}; .*{do}.*", str(caught.value)), caught.value
    assert len(str(caught.value)) < MAX_LETTERS
    assert blame.author(caught.value) == ""
    assert "def forward" not in "".join(capfd.readouterr())


def test_scripted_parts_are_told() -> None:
    """The way out is the module that was scripted, not a TypeError of its forward()."""

    def fill(net: Any) -> None:
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, which people use all the same
        net.part = _t().jit.script(_t().nn.Sequential(_t().nn.Linear(8, 8), _t().nn.ReLU()))

    told = r"its submodule part is TorchScript.*the module that it was made of"
    with warnings.catch_warnings(), pytest.raises(CaptureError, match=told):
        capture(session(network(lambda net, x: net.part(x) * 2, fill)))


def test_gradients_are_told() -> None:
    """A network that differentiates runs in a notebook, and not without autograd."""

    def forward(net: Any, x: Any) -> Any:
        return _t().autograd.grad(x.requires_grad_().square().sum(), x)[0]

    with pytest.raises(BuildError, match=r"forward\(\) computes a gradient.*write out the derivative"):
        blaming("the handler on a sample", lambda: session(network(forward)).run({"x": X}))


def test_packed_sequences_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    """The way out is the padded tensor, not an error of torch.zeros deep in an LSTM."""

    def builder() -> Any:
        torch = _t()

        class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.lstm = torch.nn.LSTM(8, 4, batch_first=True)

            def forward(self, x: Any, lengths: Any) -> Any:
                packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
                _, (hidden, _) = self.lstm(packed)
                return hidden[-1]

        return Net()

    inputs = {"x": TensorSpec("float32", ("batch", 6, 8)), "lengths": TensorSpec("int64", ("batch",))}
    with pytest.raises(CaptureError, match=r"packed sequences .*test_messages.*the padded tensor.*lengths - 1"):
        capture(session(builder, inputs))


@pytest.mark.parametrize(
    ("forward", "operator", "do"),
    [
        (lambda net, x: _t().linalg.svd(x)[1], "_linalg_svd", "in the handler with numpy.linalg"),
        (lambda net, x: _t().masked_select(x, x > 0).sum(), "masked_select", r"torch\.where\(mask, x, 0\)"),
        (lambda net, x: _t().lgamma(x), "lgamma", "with other operators, or do that step in the handler with NumPy"),
    ],
    ids=["svd", "masked_select", "lgamma"],
)
def test_what_onnx_lacks(forward: Callable[..., Any], operator: str, do: str) -> None:
    """The operator, a line of the author's, and what to write."""
    captured = capture(session(network(forward)))
    with pytest.raises(CaptureError, match=rf"ONNX has no operator for .*{operator} \(File .*line \d+.*\); .*{do}"):
        captured.onnx(20)


def rounds(net: Any, x: Any) -> Any:
    return x[:, : round(x.shape[1] / 3)]


def takes_a_root(net: Any, x: Any) -> Any:
    return x[:, : int(math.sqrt(x.shape[1]))]


def takes_a_logarithm(net: Any, x: Any) -> Any:
    return x[:, : int(math.log2(x.shape[1]))]


def counts_rows(net: Any, x: Any) -> Any:
    return x + _t().zeros(3, len(x.T))


def goes_through_rows(net: Any, x: Any) -> Any:
    return _t().stack([row * 2 for row in x.T])


def runs_up(net: Any, x: Any) -> Any:
    return x.cummax(1).values


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (rounds, r"round\(\) of a free length \(File .*line \d+.*\); .*\(2 \* n \+ k\) // "),
        (takes_a_root, r"n is not free; .* n = 9 \(File .*in takes_a_root: .*\). math\.sqrt.* write int\(n \*\* 0\.5"),
        (
            takes_a_logarithm,
            r"n is not free; .*in takes_a_logarithm: .*\). math's functions turn a length into a plain number",
        ),
        (
            counts_rows,
            r"n is not free; .*in counts_rows: .*\). len\(\) turns a length .* write x\.shape\[0\]\.",
        ),
        (goes_through_rows, r"n is not free; .*in goes_through_rows: .*\). the length of the example"),
        (runs_up, r"no operator for aten\.cummax \(File .*line \d+.*\); write torch\.where\(torch\.ones"),
    ],
)
def test_what_has_no_form_at_a_free_length(forward: Callable[..., Any], message: str) -> None:
    """The function, the author's line, and what to write, in one line."""
    inputs = {"x": TensorSpec("float32", (3, "n"))}
    with pytest.raises(CaptureError, match=message) as caught:
        capture(session(network(forward), inputs), {"n": 9}).onnx(20)
    assert len(str(caught.value)) < MAX_LETTERS


def fits_into_a_square(net: Any, x: Any) -> Any:
    scale = min(32 / x.shape[0], 32 / x.shape[1])
    return x * scale


def test_the_smaller_of_two_scales() -> None:
    """A letterbox in forward() decides by the example which side is the longer one."""
    inputs = {"x": TensorSpec("float32", ("h", "w"))}
    with pytest.raises(BuildError, match=r"only works where .*min\(\) and max\(\) branch .* write torch\.sym_min\(\)"):
        capture(session(network(fits_into_a_square), inputs), {"h": 9, "w": 6})


def batched_nms(boxes: Any) -> Any:
    return boxes * 2 if boxes.numel() > 4000 else boxes


def keeps_the_best(net: Any, x: Any) -> Any:
    return batched_nms(x)


def test_a_condition_that_only_far_lengths_break_is_told_with_its_line() -> None:
    """As torchvision's batched_nms() has it: neither one more nor twice the example's length shows it."""
    inputs = {"x": TensorSpec("float32", ("h", "w"))}
    told = r"only works where .*<= 4000 \(File .*batched_nms.*torchvision\.ops\.nms\(boxes \+ labels"
    with pytest.raises(BuildError, match=told):
        capture(session(network(keeps_the_best), inputs), {"h": 9, "w": 6})


def to_the_gpu(net: Any, x: Any) -> Any:
    return x.cuda() * 2


def half(net: Any) -> None:
    net.layer = _t().nn.Linear(8, 2).half()


def narrow(net: Any) -> None:
    net.layer = _t().nn.Linear(5, 2)


def derives(net: Any, x: Any) -> Any:
    return _t().autograd.grad((x**2).sum(), x)[0]


@pytest.mark.parametrize(
    ("forward", "fill", "message"),
    [
        (to_the_gpu, None, r"line \d+, in to_the_gpu: return x\.cuda.*needs a GPU.*leave out \.cuda\(\).*x\.device"),
        (lambda net, x: net.layer(x), half, r"same dtype.*declare the input in the weights' dtype.*network\.float"),
        (lambda net, x: net.layer(x), narrow, r"cannot be multiplied \(3x8 and 5x2\).*compare the shapes of inputs="),
        (derives, None, r"does not require grad.*computes a gradient"),
        (lambda net, x: 1 / 0, None, r"ZeroDivisionError: division by zero \(File "),
    ],
    ids=["cuda", "half", "shapes", "gradient", "its own"],
)
def test_what_a_sample_raises(forward: Callable[..., Any], fill: Any, message: str) -> None:
    """The exception, the author's line, what it means and what to do; the trace has the author's frames alone."""
    if _t().cuda.is_available() and forward is to_the_gpu:
        pytest.skip("a GPU is here")
    eager = session(network(forward, fill or (lambda net: None)))
    with pytest.raises(BuildError, match=f"sample a of model net raised .*{message}") as caught:
        blaming("sample a of model net", eager.run, {"x": X})
    assert len(str(caught.value).splitlines()) == 1
    trace = blame.author(caught.value)
    assert "site-packages" not in trace
    assert len(trace.splitlines()) <= 12


def _checkpoint(content: Callable[[], Any]) -> Callable[[Path], Callable[[], Any]]:
    def builder_of(path: Path) -> Callable[[], Any]:
        def builder() -> Any:
            torch = _t()
            net = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(40)])
            torch.save(content(), path)
            net.load_state_dict(torch.load(path))
            return net

        return builder

    return builder_of


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda: {f"layer{n}.weight": _t().zeros(1) for n in range(90)},
            r"loading state_dict.*build the same network that wrote the check",
        ),
        (lambda: {"net": Path("a")}, r"takes only tensors.*weights_only=False for a file that you trust"),
    ],
    ids=["state_dict", "objects"],
)
def test_what_a_checkpoint_raises(content: Callable[[], Any], message: str, tmp_path: Path) -> None:
    """PyTorch lists every key of both sides; the message does not."""
    with pytest.raises(BuildError, match=f"the builder of model net raised .*{message}") as caught:
        _ = session(_checkpoint(content)(tmp_path / "net.pt")).network
    assert len(str(caught.value)) < 2 * MAX_LETTERS
    assert len(str(caught.value).splitlines()) == 1
    assert len(blame.author(caught.value).splitlines()) <= 14


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda: _t().nn.Linear(1, 1).state_dict(), "returned OrderedDict.*after network.load_state_dict"),
        (lambda: lambda x: x * 2, "returned function.*into the forward.. of a torch.nn.Module"),
        (lambda: None, "returned NoneType.*return the network itself"),
        (lambda: _t().nn.Linear(2, 2, device="meta"), "weights are on the device meta"),
        (lambda: _t().nn.LazyLinear(2), "the weights of weight have no shape yet: .*call the network on an input"),
    ],
    ids=["weights", "function", "nothing", "meta", "lazy"],
)
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_what_is_no_network(returned: Callable[[], Any], message: str) -> None:
    """A builder that returns something else is told what to return."""
    with pytest.raises(BuildError, match=f"model net: .*{message}"):
        _ = session(returned).network


def test_a_trace_is_short_however_deep_it_was() -> None:
    """The first frame of the author's and the last ones; a long message ends in an ellipsis."""

    def sink(depth: int) -> None:
        if depth:
            sink(depth - 1)
        raise ValueError("\n".join(f"line {number} " + "x" * 1000 for number in range(100)))

    try:
        sink(50)
    except ValueError as error:
        trace = blame.trace(error)
    assert len(trace.splitlines()) <= 1 + 2 * blame.MAX_FRAMES + blame.MAX_LINES + 1
    assert max(map(len, trace.splitlines())) <= blame.MAX_LINE
    assert trace.splitlines()[1].endswith("in test_a_trace_is_short_however_deep_it_was")
    assert trace.endswith("…")


def test_operators_of_the_author() -> None:
    """A custom operator written in PyTorch is built from its body; one that calls NumPy is refused with its line."""
    torch = _t()

    def swish(x: torch.Tensor, beta: float) -> torch.Tensor:  # type: ignore[name-defined]
        return x * torch.sigmoid(beta * x)

    def tanh(x: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
        return torch.from_numpy(np.tanh(x.numpy()))

    swish.__annotations__ = {"x": torch.Tensor, "beta": float, "return": torch.Tensor}
    tanh.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    own = torch.library.custom_op("edgefn_test::swish", swish, mutates_args=())
    other = torch.library.custom_op("edgefn_test::tanh", tanh, mutates_args=())
    own.register_fake(lambda x, beta: torch.empty_like(x))
    other.register_fake(torch.empty_like)
    eager = session(network(lambda net, x: own(x, 1.5)))
    captured = capture(eager)
    found: Any = onnx_of(captured).run({"x": X})
    wanted: Any = eager.run({"x": X})
    np.testing.assert_allclose(found["output"], wanted["output"], rtol=1e-5)
    with pytest.raises(
        CaptureError, match=r"edgefn_test::tanh \(File .*\) is not an operator of PyTorch.*write it in PyTorch"
    ):
        capture(session(network(lambda net, x: other(x) + 1)))


def test_what_the_exporter_does_not_decompose_is_told_all_the_same() -> None:
    """Without the line, where the program does not decompose far enough to find it."""

    def counts(net: Any, x: Any) -> Any:
        return _t().bincount(x.argmax(1), weights=x.sum(1), minlength=8)

    captured = capture(session(network(counts)))
    with pytest.raises(BuildError, match="model net does not export to ONNX: "):
        captured.onnx(20)


@pytest.mark.parametrize(
    ("forward", "what"),
    [
        (lambda net, x: x.to(_t().int16).amax(1), "it has no ReduceMax of int16"),
        (lambda net, x: (x.to(_t().bfloat16) @ net.eye.to(_t().bfloat16)).float(), "it has no MatMul of such types"),
    ],
)
def test_what_the_engine_has_not_of_a_type(forward: Callable[..., Any], what: str) -> None:
    """The operator and the type, and what to do, with no path of the build's."""
    captured = capture(session(network(forward, lambda net: net.register_buffer("eye", _t().eye(8)))))
    with pytest.raises(BundleError, match=rf"cannot load model\.onnx: {what}: compute .* as float32 by \.float\(\)$"):
        backends.get("onnxruntime").load(captured.onnx(20).parent)


def test_an_option_that_is_a_free_length() -> None:
    """Groups as many as there are rows: which operator, and that a number helps."""

    def correlates(net: Any, x: Any) -> Any:
        return _t().nn.functional.conv1d(x[None], x[:, None, :3], groups=x.shape[0])

    captured = capture(session(network(correlates)))
    with pytest.raises(
        CaptureError, match=r"an option of aten\.conv.* is a free length.* write that length as a number"
    ):
        captured.onnx(20)
