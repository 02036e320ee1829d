"""What a captured program does beside computing: it draws random numbers, or writes a buffer that it reads again.

Neither survives in an artifact, so both are refused. `purity` sees most of them in the answers, before the capture;
this sees a generator that is seeded in forward(), and a state that shows only after many calls.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from edgefn.compile.capture import refusals
from edgefn.compile.repeatability import draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


def check(program: torch.export.ExportedProgram, examples: Sequence[torch.Tensor], model: str) -> None:
    """Raise CaptureError if `program` draws, or if its outputs depend on an earlier call's writes.

    `examples` are inputs of sizes that it runs with.
    """
    if found := draws.in_program(program):
        operator, trace = found
        raise refusals.random(model, operator, trace, draws.way_out("dropout" in operator))
    if not _writes_buffer(program):
        return
    functional = program.run_decompositions({})  # in whose signature the written buffers stand
    if written := [name for name in _rewritten(functional) if _matters(functional, name, _filled(examples))]:
        raise refusals.state(model, written)


def _writes_buffer(program: torch.export.ExportedProgram) -> bool:
    """Tell whether any operator writes in place into a buffer, or into a view of one."""
    buffers = set(program.graph_signature.inputs_to_buffers)
    nodes = (node for node in program.graph.nodes if _aliases(node) and node.target._schema.is_mutable)
    return any(_origin(node).name in buffers for node in nodes)


def _origin(node: torch.fx.Node) -> torch.fx.Node:
    while _aliases(node) and node.args:
        (node, *_) = node.all_input_nodes or [node]
    return node


def _aliases(node: torch.fx.Node) -> bool:
    """Tell whether the node's result shares the memory of its first argument.

    That is true of a view and of an operator in place.
    """
    import torch

    operator = node.target
    if not isinstance(operator, torch._ops.OpOverload) or not node.all_input_nodes:
        return False
    return any(one.alias_info is not None for one in operator._schema.returns) or operator._schema.is_mutable


def _rewritten(program: torch.export.ExportedProgram) -> list[str]:
    """Return the buffers that the program writes and whose former value reaches an output."""
    signature = program.graph_signature
    written = set(signature.buffers_to_mutate.values())
    outputs = set(signature.user_outputs)
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    return [
        buffer
        for name, buffer in signature.inputs_to_buffers.items()
        if buffer in written and outputs & _readers(placeholders[name])
    ]


def _readers(node: torch.fx.Node) -> set[str]:
    """Return the names of all nodes that `node` reaches."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for user in waiting.pop().users:
            if user.op != "output" and user.name not in found:
                found.add(user.name)
                waiting.append(user)
    return found


def _filled(examples: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Make inputs like `examples`, with random floating-point values, the same each time."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return [
        torch.rand(one.shape, generator=generator, dtype=one.dtype) if one.is_floating_point() else one.clone()
        for one in examples
    ]


def _matters(program: torch.export.ExportedProgram, buffer: str, inputs: Sequence[torch.Tensor]) -> bool:
    """Tell whether another value of `buffer` gives another answer.

    A scratch buffer does not matter: it is written before it is read.
    """
    import torch

    def answers(shift: int) -> tuple[torch.Tensor, ...]:
        module = copy.deepcopy(program).module(check_guards=False)
        with torch.no_grad():
            value = module.get_buffer(buffer)
            value.copy_(value.logical_xor(torch.tensor(bool(shift))) if value.dtype == torch.bool else value + shift)
            found: tuple[torch.Tensor, ...] = module(*(one.clone() for one in inputs))
            return found

    pairs = zip(answers(0), answers(1), strict=True)
    return not all(torch.equal(one, other) for one, other in pairs)
