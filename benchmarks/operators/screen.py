"""One call of an operator, made an artifact and run with numbers of every kind, against eager PyTorch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from benchmarks.operators.values import dtype_of, sweeps
from benchmarks.zoo.record import plain
from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.dimensions.sizes import combined
from edgefn.errors import EdgefnError
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

if TYPE_CHECKING:
    import torch

    from benchmarks.operators.calls import Call

    Arrays = Sequence[np.ndarray[Any, Any]]

NEAR = 1e-3
"""A float may be off by so much of itself, and by a tenth of that of the largest."""
MOST = 2.0**62
SIZES = 6
"""Sets of other sizes that are tried."""

State = Literal["right", "wrong", "refused"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call: `why` it is refused, or the inputs that are `wrong` with what is."""

    operator: str
    call: str
    dtype: str
    free: bool
    state: State
    why: str = ""
    wrong: dict[str, str] = {}


def screened(name: str, call: Call, dtype: str, *, free: bool) -> Outcome | None:
    """Screen a call with its sizes fixed, or free; None where eager has no answer, or none that it repeats."""
    found = Outcome(operator=name, call=call.text, dtype=dtype, free=free, state="right")
    if not _repeats(call):
        return None
    words = _words(call.inputs) if free else {}
    if free and not words:
        return None
    specs = {f"x{number}": _spec(one, words) for number, one in enumerate(call.inputs)}
    try:
        eager = EagerSession(lambda: call.network, ModelSpec("net", specs, {}, combined(specs, "net")))
        captured = capture(eager, {word: size for size, word in words.items()})
        session: Any = get("onnxruntime").load(captured.onnx(20).parent)
    except EdgefnError as refusal:
        return msgspec.structs.replace(found, state="refused", why=plain(str(refusal))[:400])
    wrong = dict(_wrongs(call, session, words, captured.model.ranges))
    return msgspec.structs.replace(found, state="wrong", wrong=wrong) if wrong else found


def _repeats(call: Call) -> bool:
    """Tell whether eager answers, with tensors, and the same twice."""
    import torch

    with torch.no_grad():
        try:
            torch.manual_seed(0)
            once = call.network(*[one.clone() for one in call.inputs])
            torch.manual_seed(1)
            again = call.network(*[one.clone() for one in call.inputs])
        except Exception:  # whatever an operator raises
            return False
    return bool(once) and all(
        not one.is_complex() and not _differ(one.numpy(), two.numpy()) for one, two in zip(once, again, strict=True)
    )


def _words(inputs: Sequence[torch.Tensor]) -> dict[int, str]:
    """Return a word for each length above 1: what is equally long is one dimension."""
    return {size: f"n{size}" for one in inputs for size in one.shape if size > 1}


def _spec(one: torch.Tensor, words: dict[int, str]) -> TensorSpec:
    dtype: Any = dtype_of(one)
    return tensor(dtype, *(words.get(size, size) for size in one.shape))


def _wrongs(call: Call, session: Any, words: dict[int, str], ranges: Any) -> Iterator[tuple[str, str]]:
    import torch

    for name, arrays in _inputs(call, words, ranges):
        with torch.no_grad():
            try:
                wanted = [one.numpy() for one in call.network(*[torch.from_numpy(one.copy()) for one in arrays])]
            except Exception:  # eager has no answer there
                continue
        if _overflows(call, arrays, wanted):
            continue
        try:
            found = list(session.run({f"x{number}": one for number, one in enumerate(arrays)}).values())
        except Exception as raised:  # an error is no wrong answer, but one that eager has is owed
            yield name, f"{type(raised).__name__}: {raised}"[:200]
            continue
        if what := "; ".join(filter(None, map(_differ, found, wanted))):
            yield name, what


def _overflows(call: Call, arrays: Arrays, wanted: Arrays) -> bool:
    """Tell whether eager's whole numbers are beyond 64 bits: what comes of those is left open."""
    import torch

    if not any(one.dtype.kind in "iu" for one in wanted):
        return False
    with torch.no_grad():
        try:
            wide = call.network(*[torch.from_numpy(one.copy()).double() for one in arrays])
        except Exception:  # an operator that takes no floats
            return False
    return any(bool((one.abs() > MOST).any()) for one in wide)


def _inputs(call: Call, words: dict[int, str], ranges: Any) -> Iterator[tuple[str, Arrays]]:
    shapes = [list(one.shape) for one in call.inputs]
    yield "as PyTorch tests it", [one.numpy() for one in call.inputs]
    yield from sweeps(call.inputs, shapes)
    source = random.Random(0)
    for number in range(SIZES if words else 0):
        sizes = {size: source.randint(1, 2 * size + 2) if number else 1 for size in words}
        if all(length in ranges.get(words[size], SizeRange()) for size, length in sizes.items()):
            others = [[sizes.get(size, size) for size in shape] for shape in shapes]
            for name, arrays in sweeps(call.inputs, others):
                yield f"{name}, {[list(one.shape) for one in arrays]}", arrays


def _differ(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> str:
    """Return how an answer differs from eager's; "" where it does not."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return f"{found.dtype}{list(found.shape)} for {wanted.dtype}{list(wanted.shape)}"
    if wanted.dtype.kind != "f":
        bad = found != wanted
    else:
        with np.errstate(all="ignore"):
            one, other = found.astype(np.float64), wanted.astype(np.float64)
            is_number = np.isfinite(other)
            near = NEAR * (np.abs(other) + 0.1 * np.abs(other[is_number]).max(initial=1e-6))
            same = (one == other) | (np.isnan(one) & np.isnan(other))
            bad = np.where(is_number, ~(np.abs(one - other) <= near), ~same)
    if not bad.any():
        return ""
    place = tuple(np.argwhere(bad)[0])
    return f"{bad.mean():.0%} differ, {found[place]} for {wanted[place]}"
