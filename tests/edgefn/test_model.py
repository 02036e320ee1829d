"""@edge_model: checked at its door, whatever runs behind it."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edgefn import Accuracy, Bound, EdgeModel, ModelInputError, Quantize, SpecError, edge_model, tensor
from edgefn.model import models_of

INPUTS = {"a": tensor("float32", "n", 4), "b": tensor("int64", "n")}


class Double:
    """A session that answers with twice its inputs, and remembers them."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.seen = dict(inputs)
        return {f"twice_{name}": array * 2 for name, array in inputs.items()}


def _model(**options: Any) -> tuple[EdgeModel, Double]:
    @edge_model(**({"inputs": INPUTS} | options))
    def network() -> Any:
        raise AssertionError("a bound model never builds its network")

    session = Double()
    network.bind(session)
    return network, session


def _arrays(n: int = 2, **others: Any) -> dict[str, Any]:
    return {"a": np.ones((n, 4), np.float32), "b": np.ones(n, np.int64)} | others


def test_arrays_go_in_and_out_by_name() -> None:
    """In the spec's order, for any length of a symbolic dimension."""
    model, session = _model()
    for n in (1, 3):
        outputs = model.run(**dict(reversed(_arrays(n).items())))
        assert list(session.seen) == ["a", "b"]
        assert outputs["twice_a"].shape == (n, 4)


def test_the_session_gets_c_order_and_native_bytes() -> None:
    """Transposed, strided and big-endian arrays are accepted, with the same values."""
    model, session = _model()
    a = np.arange(8, dtype=">f4").reshape(4, 2).T
    model.run(a=a, b=np.arange(4)[::2])
    assert all(array.flags.c_contiguous and array.dtype.isnative for array in session.seen.values())
    np.testing.assert_array_equal(session.seen["a"], a)
    np.testing.assert_array_equal(session.seen["b"], [0, 2])


def test_one_output_is_returned_as_it_is() -> None:
    """Several are told of .run."""
    model, _ = _model(inputs={"a": tensor("float32")})
    assert model(a=np.float32(2) * np.ones((), np.float32)) == 4
    several, session = _model()
    with pytest.raises(SpecError, match=r"outputs twice_a, twice_b: call network\.run"):
        several(**_arrays())
    declared, session = _model(outputs={"x": tensor("float32", "n"), "y": tensor("float32", "n")})
    with pytest.raises(SpecError, match=r"outputs x, y: call network\.run"):
        declared(**_arrays())
    assert session.seen == {}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones((2, 4))}, r"model network, input 'a' has float64\[2, 4\], needs float32\[n, 4\]"),
        ({"a": np.ones((2, 5), "float32")}, r"input 'a' has float32\[2, 5\], needs float32\[n, 4\]"),
        ({"a": np.ones(4, "float32")}, r"input 'a' has float32\[4\], needs float32\[n, 4\]"),
        ({"b": np.ones(3, "int64")}, r"input 'b' has int64\[3\], needs int64\[n\] with n = 2"),
        ({"a": [[1, 2, 3, 4]]}, r"input 'a' has a list, needs a NumPy array float32\[n, 4\]"),
        ({"c": np.ones(1)}, r"model network has no input 'c'"),
        ({"aa": np.ones(1)}, r"has no input 'aa'; did you mean \"a\"\?"),
    ],
)
def test_what_does_not_fit_names_model_input_has_and_needs(arrays: dict[str, Any], message: str) -> None:
    """And never reaches the session."""
    model, session = _model()
    with pytest.raises(ModelInputError, match=message):
        model.run(**_arrays(**arrays))
    assert session.seen == {}


def test_a_missing_input_is_named() -> None:
    """With what it needs."""
    model, _ = _model()
    with pytest.raises(ModelInputError, match=r"model network, input 'b' is missing, needs int64\[n\]"):
        model.run(a=np.ones((2, 4), np.float32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": {}}, r"inputs is \{\}: write a dict of tensors"),
        ({"inputs": [tensor("int8")]}, "inputs is .*: write a dict of tensors"),
        ({"inputs": {"a b": tensor("int8")}}, "inputs has the name 'a b': use a Python identifier"),
        ({"inputs": {"a": "float32"}}, "inputs: a is 'float32': write a tensor"),
        ({"outputs": {}}, r"outputs is \{\}: write a dict"),
        ({"samples": ""}, "samples is '': write a glob"),
        ({"samples": "../x/*.jpg"}, "samples is '../x/"),
        ({"samples": "/x/*.jpg"}, "samples is '/x/"),
        ({"samples": 3}, "samples is 3"),
        ({"tolerance": 0}, "tolerance is 0: write a number above 0"),
        ({"tolerance": True}, "tolerance is True"),
        ({"tolerance": "1e-3"}, "tolerance is '1e-3'"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"tolerance": Bound(-1.0)}, "tolerance: max_error of Bound is -1.0: write a number above 0"),
        ({"tolerance": Bound(1e-3, 1.5)}, "tolerance: top1 of Bound is 1.5: write a share between 0 and 1"),
        ({"tolerance": Bound(float("inf"))}, "tolerance: max_error of Bound is inf"),
        ({"calibration": 3}, "calibration is 3: write a glob"),
        ({"weights": 3}, "weights is 3: write the path of a file that the builder reads"),
        ({"weights": ["best.pth", ""]}, r"weights is \['best.pth', ''\]"),
        ({"weights": b"best.pth"}, "weights is b'best.pth'"),
        ({"quantize": "int8"}, r"quantize is 'int8': write Quantize\(\.\.\.\)"),
        ({"quantize": Quantize(epochs=-1)}, "quantize: epochs is -1: write a whole number"),
        ({"quantize": Quantize(epochs=1.5)}, "quantize: epochs is 1.5"),  # type: ignore[arg-type]
        ({"quantize": Quantize(sparsity=2)}, "quantize: sparsity is 2: write a share of 0 or more and below 1"),
        ({"quantize": Quantize(sparsity=float("nan"))}, "quantize: sparsity is nan"),
        ({"quantize": Quantize(method="foo")}, "quantize: method is 'foo'; use one of auto, dynamic, static"),  # type: ignore[arg-type]
        ({"quantize": Quantize(method="statik")}, "quantize: method is 'statik'; did you mean \"static\""),  # type: ignore[arg-type]
        ({"quantize": Quantize(keep="head")}, r"quantize: keep is 'head': write a tuple .* \(\"head\",\)"),  # type: ignore[arg-type]
        ({"quantize": Quantize(keep=("",))}, r"quantize: keep is \('',\)"),
        ({"quantize": Quantize(bound=0.1)}, "quantize: bound is 0.1: write a Bound"),  # type: ignore[arg-type]
        ({"quantize": Quantize(bound=Bound(0.5, 2.0))}, "quantize: top1 of Bound is 2.0"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused(options: dict[str, Any], message: str) -> None:
    """At import, naming the model and what is accepted."""
    with pytest.raises(SpecError, match=f"@edge_model network: {message}"):
        _model(**options)


def test_options_are_kept() -> None:
    """As the build reads them."""
    model, _ = _model(samples="samples/*.jpg", tolerance=0.01, outputs={"y": tensor("float32", "n")})
    assert (model.spec.name, model.samples, model.bound) == (
        "network",
        "samples/*.jpg",
        Bound(max_error=0.01, top1=None),
    )
    assert model.spec.inputs == INPUTS
    assert list(model.spec.outputs) == ["y"]
    bound = Bound(max_error=0.1, top1=None)
    assert _model(tolerance=bound)[0].bound is bound
    assert _model()[0].bound is None
    assert _model(accuracy=0.05)[0].accuracy == Accuracy(error=0.05)
    assert "network(a: float32[n, 4], b: int64[n])" in repr(model)


def test_builders_are_plain_functions_without_parameters() -> None:
    """Named as a model can be; a parameter with a default is no parameter to the build."""
    with pytest.raises(SpecError, match="takes parameters"):
        edge_model(inputs=INPUTS)(with_parameter)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="the function's name is '<lambda>'"):
        edge_model(inputs=INPUTS)(lambda: None)
    with pytest.raises(SpecError, match="put it on a `def`"):
        edge_model(inputs=INPUTS)(Double)


def with_parameter(width: int) -> None: ...


def test_models_of_a_module() -> None:
    """Its own and those it imported, once each; two of one name are refused."""
    first, _ = _model()
    second, _ = _model()
    module = types.ModuleType("somewhere")
    module.__dict__.update({"network": first, "alias": first, "other": 3})
    assert models_of(module) == {"network": first}
    module.__dict__["again"] = second
    with pytest.raises(SpecError, match="somewhere has two models named network"):
        models_of(module)


@pytest.mark.needs_torch
def test_an_unbound_model_runs_on_eager_pytorch() -> None:
    """The builder is called once, and its network answers."""
    built: list[int] = []

    @edge_model(inputs={"x": tensor("float32", "n", 2)})
    def linear() -> Any:
        import torch  # noqa: TID251

        built.append(1)
        layer = torch.nn.Linear(2, 1)
        torch.nn.init.ones_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        return layer

    for n in (1, 3):
        np.testing.assert_allclose(linear(x=np.ones((n, 2), np.float32)), np.full((n, 1), 2.0))
    assert built == [1]


def test_without_torch_an_unbound_model_says_what_to_install() -> None:
    """On a machine that has the base install only."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from edgefn import edge_model, tensor\n"
        "@edge_model(inputs={'x': tensor('float32', 2)})\n"
        "def network():\n"
        "    import torch\n"
        "network(x=np.ones(2, np.float32))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "edgefn.errors.BuildError: model network has no artifact here" in done.stderr
    assert "pip install 'edgefn[compile]'" in done.stderr
