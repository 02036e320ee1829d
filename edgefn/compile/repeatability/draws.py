"""Random numbers in forward(): which of the author's lines draws them, in eager PyTorch or in a captured program."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edgefn.compile.author import blame

if TYPE_CHECKING:
    import torch

_DRAWING = frozenset(
    {"bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal", "normal_functional"}
    | {"poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "uniform"}
    | {"native_dropout", "rrelu_with_noise", "rrelu_with_noise_functional"}
)
"""ATen operators that always draw."""

_DROPOUT = frozenset({"dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"})
"""Those that draw where their argument `train` is true."""


class Draws:
    """Within, watches PyTorch for the first operator that draws. A context manager.

    where        "" or " (dropout, File …, line …)", for a message
    is_dropout   whether it was dropout
    """

    def __init__(self) -> None:
        self.where = ""
        self.is_dropout = False
        self._mode = _mode(self._note)

    def __enter__(self) -> Self:
        self._mode.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mode.__exit__(kind, error, trace)

    def _note(self, operator: Any, arguments: tuple[Any, ...]) -> None:
        if not self.where and draws(operator, arguments):
            frames = traceback.extract_stack()
            self.is_dropout = any("dropout" in frame.name or "dropout" in str(frame.line) for frame in frames)
            self.where = _where("dropout" if self.is_dropout else _name(operator), blame.last(frames))


def in_program(program: torch.export.ExportedProgram) -> tuple[str, str] | None:
    """Return the first operator of a captured program that draws, and its stack trace; None without one."""
    for module in program.graph_module.modules():
        for node in (getattr(module, "graph", None) and module.graph.nodes) or ():
            if draws(node.target, node.args):
                return _name(node.target), str(node.meta.get("stack_trace") or "")
    return None


def draws(operator: Any, arguments: tuple[Any, ...]) -> bool:
    """Return whether an operator draws random numbers when it is called so."""
    import torch

    if not isinstance(operator, torch._ops.OpOverload):
        return False
    name = _name(operator)
    if name in _DROPOUT:
        return len(arguments) > 2 and arguments[1] > 0 and bool(arguments[2])
    return name in _DRAWING


def way_out(is_dropout: bool) -> str:
    """Return the advice for a forward() that draws."""
    if is_dropout:
        return (
            "dropout is on. Write F.dropout(x, p, training=self.training) or nn.Dropout, and call neither .train() "
            "in forward() nor training=True"
        )
    return (
        "make the noise an input that the handler draws, or draw it once in the builder and keep it with "
        "register_buffer"
    )


def _where(what: str, line: str) -> str:
    return f" ({what}{line and f', {line}'})"


def _name(operator: Any) -> str:
    return str(operator._schema.name).rpartition("::")[2].removesuffix("_")


def _mode(note: Any) -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            note(func, args)
            return func(*args, **(kwargs or {}))

    return Watching()  # type: ignore[no-untyped-call]
