"""Functions of one and of two numbers have PyTorch's answer for each pair of special ones: zeros, infinities, NaN."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture.capture import capture
from edgefn.spec import TensorSpec
from tests.edgefn.compile.networks import network, onnx_of, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SPECIAL = (0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan, 1e30, 1e-30)
PAIRS = np.array(list(itertools.product(SPECIAL, SPECIAL)), np.float32)


def of_signs() -> dict[str, Callable[[Any, Any], Any]]:
    """Return functions of two columns by name, those that are ours."""
    import torch

    two = (torch.copysign, torch.hypot, torch.heaviside, torch.fmax, torch.fmin, torch.xlogy)
    one = (torch.sign, torch.sgn, torch.signbit, torch.logit)
    return {
        **{each.__name__: each for each in two},
        **{each.__name__: _of_first(each) for each in one},
        "sign_": lambda x, y: (x * 1).sign_(),
        "copysign, a number": lambda x, y: torch.copysign(x, -0.0),
        "logit, eps": lambda x, y: torch.logit(x, eps=0.1),
    }


def others() -> dict[str, Callable[[Any, Any], Any]]:
    """Return functions of two columns by name, those that the exporter translates."""
    import torch
    from torch.nn import functional

    two = (
        *(torch.fmod, torch.remainder, torch.maximum, torch.minimum),
        *(torch.logaddexp, torch.pow, torch.floor_divide, torch.atan2),
        *(torch.isclose, torch.gt, torch.ne, torch.logical_and, torch.logical_xor),
    )
    one = (
        *(torch.abs, torch.frac, torch.trunc, torch.round, torch.ceil),
        *(torch.rsqrt, torch.reciprocal, torch.log1p, torch.expm1, torch.exp, torch.sqrt, torch.sigmoid, torch.tanh),
        *(torch.sinc, torch.nan_to_num, torch.isinf, torch.isnan, torch.isfinite, torch.logical_not),
        *(functional.relu, functional.relu6, functional.leaky_relu, functional.hardtanh, functional.softplus),
        *(functional.gelu, functional.silu, functional.hardswish, functional.hardsigmoid, functional.mish),
        *(functional.elu, functional.celu, functional.selu, functional.softsign, functional.tanhshrink),
        *(functional.hardshrink, functional.softshrink, functional.logsigmoid),
    )
    return {
        **{each.__name__: each for each in two},
        **{each.__name__: _of_first(each) for each in one},
        "clamp": lambda x, y: torch.clamp(x, -1, 1),
        "clamp, a tensor": lambda x, y: torch.clamp(x, min=y),
        "lerp": lambda x, y: torch.lerp(x, y, 0.3),
        "threshold": lambda x, y: functional.threshold(x, 0.5, 7.0),
        "where": lambda x, y: torch.where(x > y, x, y),
    }


def _of_first(function: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: function(x)


@pytest.mark.parametrize("functions", [of_signs, pytest.param(others, marks=pytest.mark.long)])
def test_special_numbers_are_answered_as_pytorch_does(functions: Callable[[], dict[str, Any]]) -> None:
    """Each pair through each function, in one network that ONNX Runtime runs."""
    each = functions()
    names = list(each)
    builder = network(lambda net, x: tuple(function(x[:, 0], x[:, 1]) for function in each.values()))
    eager = session(builder, {"x": TensorSpec("float32", ("pairs", 2))})
    wanted: dict[str, Any] = eager.run({"x": PAIRS})
    found: dict[str, Any] = onnx_of(capture(eager)).run({"x": PAIRS})
    for name, output in zip(names, wanted, strict=True):
        np.testing.assert_allclose(found[output], wanted[output], rtol=1e-4, atol=1e-30, err_msg=name)


@pytest.mark.parametrize(
    "dtype", ["int64", "float16", *(pytest.param(one, marks=pytest.mark.long) for one in ("int8", "float64"))]
)
def test_signs_of_every_kind_of_number(dtype: Any) -> None:
    """Whole numbers and halves have them, too."""

    def forward(net: Any, x: Any) -> Any:
        import torch

        return torch.sign(x), torch.signbit(x), torch.fmax(x, -x), torch.fmin(x, 2 * x), torch.xlogy(x.abs(), x.abs())

    numbers = np.array([[-3, -1, 0, 1, 2, 100, 0, -0.0]]).astype(dtype)
    eager = session(network(forward), {"x": TensorSpec(dtype, ("rows", 8))})
    wanted: dict[str, Any] = eager.run({"x": numbers})
    found: dict[str, Any] = onnx_of(capture(eager)).run({"x": numbers})
    for output, values in wanted.items():
        assert found[output].dtype == values.dtype
        np.testing.assert_allclose(found[output], values, rtol=1e-3 if dtype == "float16" else 1e-5)
