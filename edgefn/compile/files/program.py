"""The network of a `.pt2` program (torch.export.save), with the dimensions that it was exported with."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.export.pt2_archive.constants import OPAQUE_OBJ_FILENAME_PREFIX
from torch.utils import _pytree as pytree

from edgefn.compile.author import blame
from edgefn.compile.files.matching import FileTensor, check, matched
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.spec import ModelSpec

_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"

FREE = "export it with dynamic_shapes={{'{name}': {{{axis}: torch.export.Dim('{size}')}}}}"


def read(path: Path, model: str) -> torch.export.ExportedProgram:
    """Read the program in the file.

    Raises BuildError, in one line, if torch does not read the file, or would run a pickle.
    """
    try:
        _refuse_objects(path)
        with _weights_only(), path.open("rb") as file:
            return torch.export.load(file)
    except Exception as error:  # of every module that reads a part of the archive
        raise BuildError(
            f"model {model}: torch {torch.__version__} cannot read {path.name}: {blame.first_line(error)[:200]}; save "
            "it with torch.export.save of the same torch, on a CPU"
        ) from error


class ProgramNetwork(torch.nn.Module):
    """Takes the model's tensors in their declared order, and returns the program's outputs in their nesting."""

    def __init__(self, program: torch.export.ExportedProgram, spec: ModelSpec) -> None:
        super().__init__()
        what = f"model {spec.name}"
        found = _inputs(program, what)
        names = matched(list(spec.inputs), list(found), f"{what}: its inputs")
        check(spec.inputs, {name: found[given] for name, given in names.items()}, what, FREE)
        _check_ranges(program, spec, names, what)
        _check_device(program, what)
        declared = list(spec.inputs)
        self._order = [declared.index(name) for given in found for name in names if names[name] == given]
        self._nesting = program.call_spec.in_spec
        self.program = program.module()

    def forward(self, *tensors: torch.Tensor) -> Any:
        """Call the program with its own nesting of arguments."""
        arguments, named = pytree.tree_unflatten([tensors[place] for place in self._order], self._nesting)
        return self.program(*arguments, **named)

    def train(self, mode: bool = True) -> ProgramNetwork:
        """Keep the mode: a program is in the mode in which it was exported."""
        return self


def _inputs(program: torch.export.ExportedProgram, what: str) -> dict[str, FileTensor]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    found: dict[str, FileTensor] = {}
    for name in program.graph_signature.user_inputs:
        value = values.get(str(name))
        if not isinstance(value, torch.Tensor):
            raise BuildError(
                f"{what}: the program takes {name}, which is not a tensor: export it with that value fixed in its "
                "forward()"
            )
        dtype = str(value.dtype).removeprefix("torch.")
        found[str(name)] = FileTensor(dtype, tuple(size if isinstance(size, int) else None for size in value.shape))
    return found


def _check_ranges(program: torch.export.ExportedProgram, spec: ModelSpec, names: dict[str, str], what: str) -> None:
    """Check that the program takes each declared number as the size of that dimension.

    Raises BuildError for a number outside the program's range.
    """
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    for name, tensor in spec.inputs.items():
        for axis, (wanted, size) in enumerate(zip(tensor.shape, values[names[name]].shape, strict=True)):
            known = None if isinstance(size, int) else program.range_constraints.get(size.node.expr)
            if isinstance(wanted, int) and known is not None and not known.lower <= wanted <= known.upper:
                raise BuildError(
                    f"{what}: input {name!r} is declared with {wanted} at axis {axis}, but the program takes "
                    f"{known.lower} to {known.upper} there: declare one of those"
                )


def _check_device(program: torch.export.ExportedProgram, what: str) -> None:
    tensors: Iterable[Any] = (*program.state_dict.values(), *program.constants.values())
    others = {str(one.device) for one in tensors if isinstance(one, torch.Tensor) and one.device.type != "cpu"}
    if others:
        raise BuildError(f"{what}: the program was exported on {', '.join(sorted(others))}: export it on the CPU")


def _refuse_objects(path: Path) -> None:
    """Refuse a file with constants that are no tensors.

    torch would unpickle them, and that may run any code. Raises ValueError.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".json") and "/data/" in name and _holds_object(json.loads(archive.read(name))):
                raise ValueError(
                    "it holds a pickled object, which may run code when it is read: export it with tensors only"
                )


def _holds_object(config: Any) -> bool:
    entries = config.get("config", {}).values() if isinstance(config, dict) else ()
    return any(str(entry.get("path_name", "")).startswith(OPAQUE_OBJ_FILENAME_PREFIX) for entry in entries)


@contextmanager
def _weights_only() -> Iterator[None]:
    """Force torch.load to read tensors and no other pickle, whatever its caller asks for.

    Holds within the block. Source: torch/serialization.py.
    """
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FORCE]
        else:
            os.environ[_FORCE] = before
