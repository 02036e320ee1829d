"""What torch.export and the ONNX exporter complain of, told as what the user can do.

Pure: exceptions in, errors out.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgefn.compile import blame
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

NUMPY_INSTEAD = "or do that step in the handler with NumPy"


def not_exported(model: str, error: Exception) -> BuildError:
    """torch.export refused the network, or the network raised."""
    if fixed := re.findall(r"^\s*(\w+) = (.+)$", str(error).partition("Suggested fixes:")[2], re.MULTILINE):
        rules = ", ".join(f"{name} = {rule.strip()}" for name, rule in fixed)
        return BuildError(
            f"model {model}: its symbolic dimensions are not free; the network only works for {rules}. "
            "Write those as numbers in tensor(...), or make forward() work for any size"
        )
    where = blame.line(error)
    advice = (
        f"write the branch on values with torch.where or torch.cond, {NUMPY_INSTEAD}"
        if "data-dependent" in str(error)
        else "call the network in eager PyTorch on a batch of two to see it"
    )
    what = f"{type(error).__name__}: {blame.first_line(error)}"
    return BuildError(f"model {model} does not export: {what}{where and f' ({where})'}; {advice}")


def not_translated(model: str, program: torch.export.ExportedProgram, error: Exception) -> BuildError:
    """The program has a step that does not exist in ONNX, or the exporter failed."""
    operator = _operator(error)
    where = (_failing_line(error) or _source_line(program, operator)) if operator else ""
    what = f"ONNX has no operator for {operator}" if operator else blame.first_line(error)
    return BuildError(
        f"model {model} does not export to ONNX: {what}{where and f' ({where})'}; "
        f"write it with other operators, {NUMPY_INSTEAD}"
    )


def _operator(error: BaseException | None) -> str:
    """The ATen operator that an exporter's chain of errors names, e.g. "aten.special_i0", or nothing."""
    while error is not None:
        found = re.search(r"OpOverload\(op='([\w.]+)'", str(error)) or re.search(r"torch\.ops\.(\w+\.\w+)", str(error))
        if found:
            return found[1]
        error = error.__cause__
    return ""


def _failing_line(error: BaseException | None) -> str:
    """The user's line of the node that the exporter was at, or nothing.

    It decomposes further than torch.export does: the operator that it names may be in no program that we have.
    """
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            meta = getattr(frame.f_locals.get("node"), "meta", None)
            if isinstance(meta, dict) and (line := _user_line(str(meta.get("stack_trace") or ""))):
                return line
        error = error.__cause__
    return ""


def _source_line(program: torch.export.ExportedProgram, operator: str) -> str:
    """The user's line that runs `operator`, or nothing; looked for as written, then as decomposed."""
    name = operator.rpartition(".")[2]
    sources: list[Callable[[], torch.export.ExportedProgram]] = [lambda: program, program.run_decompositions]
    for source in sources:
        for node in source().graph.nodes:
            if name in str(node.target) and (line := _user_line(node.meta.get("stack_trace") or "")):
                return line
    return ""


def _user_line(trace: str) -> str:
    """The last frame of a trace that is the user's, or the last of all; nothing of none."""
    frames = re.findall(r'File "([^"]+)", line (\d+), in (\w+)\n\s*(.*)', trace)
    frames = [frame for frame in frames if not blame.is_own(frame[0])]
    users = [frame for frame in frames if blame.is_user(frame[0])] or frames
    return 'File "{}", line {}, in {}: {}'.format(*users[-1]) if users else ""
