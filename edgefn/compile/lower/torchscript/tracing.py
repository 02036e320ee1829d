"""A captured program as TorchScript: traced, frozen, and held against the program at another batch size.

A trace records what the Python bindings of torch are called with. A size that reaches an operator by way of
`torch.ops`, as all do in an exported program, is recorded as the number that it was: without a word the trace is right
for one batch size. So what takes sizes is called by its binding, and the trace is tried at another size.

Source: https://docs.pytorch.org/docs/stable/generated/torch.jit.trace.html
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from edgefn.backends.torchscript.backend import without_deprecations
from edgefn.compile.capture import examples
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.compile.lower.lowering import Captured
    from edgefn.targets.profiles import Target

TOLERANCE = 1e-4
"""Between two ways to compute the same float32 network; a size recorded as a number fails outright, or is far off."""


def trace(captured: Captured, target: Target) -> torch.jit.ScriptModule:
    """Trace the program and freeze the trace. Raise BuildError that names model, target and remedy."""
    what = f"model {captured.model.name}, target {target}"
    module = _traceable(captured.program)
    with _quiet(), torch.no_grad():
        try:
            script = torch.jit.trace(module, examples.zeros(captured.model, captured.sizes), check_trace=False)
            script = torch.jit.freeze(script.eval())
        except Exception as error:  # what the network's operators raise, and classes of the tracer's own
            raise BuildError(f"{what}: torch.jit cannot trace it: {_first_line(error)}; {_ELSE}") from error
        if examples.is_symbolic(captured.model):
            _check_another_size(script, module, captured, what)
    return script


def save(script: torch.jit.ScriptModule, path: Path) -> None:
    """Save the trace to the file `path`."""
    with _quiet():
        torch.jit.save(script, str(path))


_ELSE = "leave this target out of --target, or use one of another backend (onnxruntime, openvino, aotinductor)"


def _traceable(program: torch.export.ExportedProgram) -> torch.fx.GraphModule:
    """Return the program's module without its guards, in a form whose sizes a trace records."""
    exported = program.module(check_guards=False)
    assert isinstance(exported, torch.fx.GraphModule)
    module = torch.fx.GraphModule(exported, exported.graph)  # without the hooks that check shapes
    for node in module.graph.nodes:
        if node.op == "call_function":
            _record_sizes(node)
    module.recompile()
    return module


def _record_sizes(node: torch.fx.Node) -> None:
    if node.target is torch.ops.aten.sym_size.int:
        node.op, node.target = "call_method", "size"
    elif isinstance(node.target, torch._ops.OpOverload) and any(map(_is_size, node.all_input_nodes)):
        name = node.target._schema.name.removeprefix("aten::")
        takes_tensor = isinstance(node.args[0] if node.args else None, torch.fx.Node) and not _is_size(node.args[0])
        if takes_tensor and hasattr(torch.Tensor, name):
            node.op, node.target = "call_method", name
        elif binding := getattr(torch, name, None):
            node.target = binding


def _is_size(node: Any) -> bool:
    return isinstance(node.meta.get("val"), torch.SymInt)


def _check_another_size(script: Any, module: Any, captured: Captured, what: str) -> None:
    inputs = examples.larger(captured.model, captured.sizes)
    wanted = module(*(one.clone() for one in inputs))
    try:
        found = script(*(one.clone() for one in inputs))
        agree = all(map(_close, found, wanted))
        why = "" if agree else "its outputs differ from the network's"
    except Exception as error:  # the interpreter raises classes of its own
        agree, why = False, _last_line(error)
    if not agree:
        raise BuildError(
            f"{what}: its trace runs only with the sizes of its example ({why}): some operator takes a size that a "
            f"trace keeps as a number. Write it without that number (x.flatten(1), a size of -1), or {_ELSE}"
        )


def _close(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    return found.shape == wanted.shape and torch.allclose(
        found.double(), wanted.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide torch.jit's deprecation warnings, and the tracer's warnings of constant values, meanwhile."""
    with without_deprecations():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield
