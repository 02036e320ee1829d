"""Whether a network answers the same input the same way each time: after other inputs, and at once again.

An artifact has neither a memory nor a generator of random numbers. A network that has one is refused here, before
anything is compiled, with what to write instead. Judges by answers: a table that is filled at the first call is fine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile.capture.eager import EagerSession, seeded
from edgefn.compile.repeatability.draws import Draws, way_out
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample

if TYPE_CHECKING:
    import torch

    from edgefn.session import Arrays

NEAR = 1e-5
"""Sums in another order differ by less, relative to the largest value; a state or a random number by far more."""

MORE_RUNS = 3
"""With a network that draws random numbers and answered alike so far: an argmax seldom shows them."""


def check(session: EagerSession, samples: Sequence[GoldenSample]) -> None:
    """Run the first sample again, after all of `samples` were run.

    Raises BuildError where the answers differ.
    """
    first = samples[0]
    generators, before = _generators(), attributes(session.network)
    again = session.run(first.inputs)
    changed = _changed(before, attributes(session.network))
    drawn = _generators() != generators
    if differ(first.outputs, again) or (drawn and _differs_later(session, first.inputs, again)):
        raise BuildError(f"model {session.spec.name}: {_reason(session, first.inputs, changed, drawn=drawn)}")


def _differs_later(session: EagerSession, inputs: Arrays, answers: Arrays) -> bool:
    return any(differ(answers, session.run(inputs)) for _ in range(MORE_RUNS))


def _reason(session: EagerSession, inputs: Arrays, changed: Sequence[str], *, drawn: bool) -> str:
    """Return the reason why the answers differ, and the remedy."""
    if drawn and _is_chance(session, inputs):
        with Draws() as draws:
            session.run(inputs)
        return f"its answers are random{draws.where}: {way_out(draws.is_dropout)}"
    if changed:
        return _remembers(changed)
    return (
        "it answers the same input differently each time, and neither a random number of PyTorch nor an attribute of "
        "the network is why: take what changes (time, files, global variables) out of forward(), or make it an input"
    )


def remembers(model: str, written: Sequence[str]) -> str:
    """Return the message for a network whose answers depend on earlier writes to the attributes `written`."""
    return f"model {model}: {_remembers([f'self.{name}' for name in written])}"


def _remembers(written: Sequence[str]) -> str:
    return (
        f"its answers depend on earlier calls: forward() writes {', '.join(written[:3])}, which an artifact does "
        f"not keep. Make {written[0]} an input and an output: forward(..., state) returns (y, state), and whoever "
        "calls carries it"
    )


def _is_chance(session: EagerSession, inputs: Arrays) -> bool:
    """Tell whether the answers are the same from the same seed."""
    answers = []
    for _ in range(2):
        with seeded():
            answers.append(session.run(inputs))
    return not differ(*answers)


def differ(some: Arrays, others: Arrays) -> bool:
    """Tell whether two answers are unlike by more than the order of their sums."""
    return some.keys() != others.keys() or any(not _near(some[name], others[name]) for name in some)


def _near(one: Any, other: Any) -> bool:
    import numpy as np

    if one.shape != other.shape or one.dtype.kind not in "fc":
        return np.array_equal(one, other)
    finite = one[np.isfinite(one)]
    atol = NEAR * float(np.abs(finite).max(initial=0.0))
    return np.allclose(one, other, rtol=0.0, atol=atol, equal_nan=True)


def _generators() -> tuple[bytes, object, bytes]:
    """Return the states of the random generators of PyTorch, Python and NumPy."""
    import numpy as np
    import torch

    numpy: Any = np.random.get_state()
    return (
        torch.random.get_rng_state().numpy().tobytes(),
        random.getstate(),
        numpy[1].tobytes() + bytes([numpy[2] % 256]),
    )


def attributes(network: torch.nn.Module) -> dict[str, object]:
    """Return the attributes of the network's modules by path, in a form that can be compared.

    Parameters and submodules are left out.
    """
    return {
        f"{path}.{name}" if path else name: _frozen(value)
        for path, module in network.named_modules()
        for name, value in _own(module)
    }


def _own(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    import torch

    yield from module._buffers.items()
    of_torch = vars(torch.nn.Module())
    yield from ((name, value) for name, value in vars(module).items() if name not in of_torch or name == "training")


def _frozen(value: Any, depth: int = 2) -> object:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return _digest(value)
    if isinstance(value, np.ndarray):
        return value.shape, hashlib.sha256(value.tobytes()).digest()
    if isinstance(value, Mapping) and depth:
        return {str(key): _frozen(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set) and depth:
        return [_frozen(one, depth - 1) for one in value]
    return value if isinstance(value, int | float | str | bytes | None) else id(value)


def _digest(tensor: torch.Tensor) -> object:
    """Return a tensor's shape and the hash of its values.

    It is the tensor's identity where the values are not laid out in memory.
    """
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
        return id(tensor)
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return tensor.shape, hashlib.sha256(flat.numpy().data).digest()


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return [f"self.{name}" for name, value in after.items() if name not in before or before[name] != value]
