"""The eager reference: how networks are built, called and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture.eager import EagerSession, one_thread
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec, TensorSpec

pytestmark = pytest.mark.needs_torch

PAIR = {"a": TensorSpec("float32", ("batch", 3)), "b": TensorSpec("float32", ("batch", 3))}
A, B = np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)


def session(forward: Callable[..., Any], outputs: tuple[str, ...] = ()) -> EagerSession:
    """A session of a network whose forward() is `forward`."""

    def builder() -> Any:
        import torch

        network = torch.nn.Module()
        network.forward = forward
        return network

    return EagerSession(
        builder, ModelSpec("pair", PAIR, {name: TensorSpec("float32", ("batch", 3)) for name in outputs})
    )


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (lambda a, b: a, ["output"]),
        (lambda a, b: (a, b), ["output_0", "output_1"]),
        (lambda a, b: [a], ["output_0"]),
        (lambda a, b: {"sum": a + b, "first": a}, ["sum", "first"]),
    ],
    ids=["tensor", "tuple", "list", "dict"],
)
def test_outputs_are_named(forward: Callable[..., Any], names: list[str]) -> None:
    """One tensor is "output", a sequence is numbered, a dict keeps its keys."""
    assert list(session(forward).run({"a": A, "b": B})) == names


def test_declared_names_are_taken() -> None:
    """outputs= names a sequence in order, and orders a dict."""
    assert list(session(lambda a, b: (a, b), ("x", "y")).run({"a": A, "b": B})) == ["x", "y"]
    swapped = session(lambda a, b: {"y": b, "x": a}, ("x", "y")).run({"a": A, "b": B})
    assert (list(swapped), swapped["x"][0, 0]) == (["x", "y"], 1)


@pytest.mark.parametrize("result", [{"y": 1, "z": 1}, (1,), (1, 1, 1)])
def test_declared_names_that_do_not_fit_are_an_error(result: Any) -> None:
    """A name that the network does not give is never silently another output."""

    def forward(a: Any, b: Any) -> Any:
        return dict.fromkeys(result, a) if isinstance(result, dict) else tuple(a for _ in result)

    with pytest.raises(BuildError, match="x, y"):
        session(forward, ("x", "y")).run({"a": A, "b": B})


def test_inputs_go_by_name_where_forward_has_the_names() -> None:
    """A forward(b, a) gets each its own; a forward(x, y) gets them in the order of their declaration."""
    assert session(lambda b, a: a).run({"a": A, "b": B})["output"][0, 0] == 1
    assert session(lambda x, y: x).run({"a": A, "b": B})["output"][0, 0] == 1


@pytest.mark.parametrize("result", ["text", None, {}, (1, 2)])
def test_what_is_no_tensor_is_an_error(result: Any) -> None:
    """forward() returns tensors, and the error names the model."""
    with pytest.raises(BuildError, match="model pair"):
        session(lambda a, b: result).run({"a": A, "b": B})


def test_a_builder_that_returns_no_network_is_an_error() -> None:
    """The message says what came instead."""
    with pytest.raises(BuildError, match="returned int"):
        _ = EagerSession(lambda: 3, ModelSpec("m", PAIR)).network


def test_a_builder_that_raises_is_blamed() -> None:
    """Its exception is the cause, its model is named."""

    def builder() -> Any:
        raise FileNotFoundError("weights.pth")

    with pytest.raises(BuildError, match=r"model m raised FileNotFoundError: weights\.pth") as caught:
        _ = EagerSession(builder, ModelSpec("m", PAIR)).network
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_random_weights_are_the_same_each_time_and_disturb_nobody() -> None:
    """Builders are seeded; the caller's own random numbers go on as if there had been none."""
    import torch

    def builder() -> Any:
        np.random.rand(5)
        return torch.nn.Linear(3, 3)

    spec = ModelSpec("m", {"x": TensorSpec("float32", ("batch", 3))})
    torch.manual_seed(1), np.random.seed(1)
    undisturbed = (torch.rand(1).item(), np.random.rand())
    torch.manual_seed(1), np.random.seed(1)
    first, second = (EagerSession(builder, spec).run({"x": A})["output"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (torch.rand(1).item(), np.random.rand()) == undisturbed


def test_a_builder_may_train_although_it_is_called_for_a_run() -> None:
    """The first run builds the network; gradients work in there."""

    def builder() -> Any:
        import torch

        network = torch.nn.Linear(3, 1)
        network(torch.ones(1, 3)).sum().backward()
        return network

    spec = ModelSpec("m", {"x": TensorSpec("float32", ("batch", 3))})
    assert EagerSession(builder, spec).run({"x": A})["output"].shape == (2, 1)


def test_a_network_runs_in_eval_mode_and_leaves_its_inputs() -> None:
    """Dropout does nothing, and an in-place step does not reach the caller's array."""

    def builder() -> Any:
        import torch

        return torch.nn.Sequential(torch.nn.Dropout(0.9), torch.nn.ReLU(inplace=True))

    x = -A
    spec = ModelSpec("m", {"x": TensorSpec("float32", ("batch", 3))})
    assert not EagerSession(builder, spec).run({"x": x})["output"].any()
    np.testing.assert_array_equal(x, -A)


def test_one_thread_is_for_a_while() -> None:
    """The number of threads is one within, and afterwards what it was."""
    import torch

    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
