"""A network as a program with its free dimensions free, and the lengths that they may have.

Dimensions are marked DYNAMIC, never AUTO: one that the network needs fixed is an error, not fixed without a word. Sizes
are "oblivious": torch takes no branch for a length of 1 that the network does not take, and writes down those that it
does (https://docs.pytorch.org/docs/stable/export.html). Owns the retries with other example lengths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from edgefn.compile import substitutes
from edgefn.compile.capture import recurrent, refusals
from edgefn.compile.capture.probes import ProgramProbe
from edgefn.compile.dimensions import dimensions, guard_lines, ranges
from edgefn.compile.dimensions.guards import FAR, Fixed, Tied, guards_of, told
from edgefn.compile.dimensions.symbols import lengths_of, output_shapes
from edgefn.dimensions.expressions import shapes_of
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

if TYPE_CHECKING:
    import torch


class Exported(NamedTuple):
    """A program, and the lengths of its free dimensions by word, unless any length is allowed."""

    program: torch.export.ExportedProgram
    ranges: dict[str, SizeRange]
    noted: guard_lines.Noted


class Refused(NamedTuple):
    """The reason why there is no program; `fixed` are the lengths that the network requires, if they are the reason."""

    error: BuildError
    fixed: Mapping[str, int] = MappingProxyType({})


def export(wrapper: torch.nn.Module, spec: ModelSpec, sizes: Mapping[str, int]) -> Exported:
    """Export `wrapper`, which takes the inputs in order. `sizes` are a sample's lengths.

    Raises BuildError with what torch says and what to do, for the samples' own lengths.
    """
    found = _exported(wrapper, spec, sizes)
    for word, allowed in found.ranges.items():
        if (length := sizes.get(word, allowed.tightened().min)) not in allowed:
            raise refusals.samples_out_of_range(spec.name, word, length, allowed, found.noted.breaking(sizes))
    return found


def _exported(wrapper: torch.nn.Module, spec: ModelSpec, sizes: Mapping[str, int]) -> Exported:
    sets = list(dimensions.examples(spec, sizes, dimensions.weights_sizes(wrapper))) or [{}]
    best, *others, own = sets if len(sets) > 1 else [sets[0], sets[0]]
    if best != own and isinstance(found := _tried(wrapper, spec, best), Exported):
        return found
    fallback = _tried(wrapper, spec, own)
    if isinstance(fallback, Refused):  # then it is not about the lengths, or about those that a sample left behind
        moved = dimensions.moved(spec, own, fallback.fixed)
        if moved != own and isinstance(found := _tried(wrapper, spec, moved), Exported):
            return found
        raise fallback.error
    tried = (_tried(wrapper, spec, lengths) for lengths in others)
    return next((one for one in tried if isinstance(one, Exported)), fallback)


def _tried(wrapper: torch.nn.Module, spec: ModelSpec, lengths: Mapping[str, int]) -> Exported | Refused:
    with guard_lines.noted(spec) as noted:
        try:
            program = _program(wrapper, spec, lengths)
            return Exported(program, _ranges(wrapper, program, spec, lengths), noted)
        except BuildError as refusal:
            return Refused(refusal)
        except (Fixed, Tied) as found:
            return _not_free(found, spec, noted, lengths)
        except Exception as raised:  # torch.export raises what the network raises, and a dozen classes of its own
            if fixed := refusals.specialised(spec, lengths, str(raised)):
                return _not_free(Fixed(fixed), spec, noted, lengths)
            if name := _scripted(wrapper):
                return Refused(_caused(refusals.scripted(spec.name, name), raised))
            return Refused(_caused(refusals.not_exported(spec, lengths, raised), raised))


def _scripted(wrapper: torch.nn.Module) -> str:
    """Return the name of a submodule that is TorchScript.

    A network that is TorchScript as a whole is opened otherwise.
    """
    import torch

    names = (name for name, module in wrapper.named_modules() if isinstance(module, torch.jit.ScriptModule))
    return next(names, "").removeprefix("network.")


def _not_free(found: Fixed | Tied, spec: ModelSpec, noted: guard_lines.Noted, lengths: Mapping[str, int]) -> Refused:
    fixed = found.lengths if isinstance(found, Fixed) else {}
    lines = dict.fromkeys(noted.line(word, {**lengths, **fixed}) for word in fixed or lengths)
    where = " and ".join(filter(None, lines)) or noted.breaking(
        {word: FAR * length for word, length in lengths.items()}
    )
    return Refused(refusals.not_free(spec.name, found, where), fixed)


def _caused(refusal: BuildError, cause: Exception) -> BuildError:
    refusal.__cause__ = cause
    return refusal


def _program(wrapper: torch.nn.Module, spec: ModelSpec, lengths: Mapping[str, int]) -> torch.export.ExportedProgram:
    import torch

    from edgefn.compile.capture import examples

    free = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(tensor.shape) if isinstance(size, str)}
        for tensor in spec.inputs.values()
    )
    with oblivious(), recurrent.kept_whole(), substitutes.recorded(), torch.no_grad():
        return torch.export.export(wrapper, examples.zeros_of(spec, lengths), dynamic_shapes=(free,))


def _ranges(
    wrapper: torch.nn.Module, program: torch.export.ExportedProgram, spec: ModelSpec, lengths: Mapping[str, int]
) -> dict[str, SizeRange]:
    if not lengths:
        return {}
    outputs = [TensorSpec("float32", shape) for shape in output_shapes(program, spec)]
    probe = ProgramProbe(wrapper, program, spec, shapes_of(outputs, tuple(lengths)))
    return told(ranges.found(guards_of(program, spec), lengths, spec.ranges, probe), spec.ranges)


def check_translation(
    program: torch.export.ExportedProgram, decomposed: torch.export.ExportedProgram, spec: ModelSpec
) -> None:
    """Raise BuildError where `decomposed`, on its way to ONNX, is right for fewer lengths than `program`."""
    before = {guard.source for guard in guards_of(program, spec)}
    new = [guard for guard in guards_of(decomposed, spec) if guard.source not in before]
    if not new:
        return
    lengths = lengths_of(program, spec)
    free = {word: spec.ranges.get(word, SizeRange()) for word in lengths}
    if guard := ranges.broken(new, lengths, free, ProgramProbe(program.module(check_guards=False), decomposed, spec)):
        raise refusals.not_translated_freely(spec.name, guard.text)


def oblivious() -> Any:
    """Stop torch from assuming that a free length is neither 0 nor 1, within the block.

    torch then assumes nothing of the number of rows from another library's operator, either: for torchvision's nms it
    would assume 2 or more, and a branch for one box would be lost.
    """
    import torch.fx.experimental._config as config

    stack = ExitStack()
    stack.enter_context(config.patch(backed_size_oblivious=True))  # type: ignore[attr-defined]
    stack.enter_context(_from_none())
    return stack


@contextmanager
def _from_none() -> Iterator[None]:
    """Let a number of rows that follows from values be 0 or more, where its library sets no other limit."""
    from torch._library.fake_impl import FakeImplCtx

    usual = FakeImplCtx.create_unbacked_symint
    FakeImplCtx.create_unbacked_symint = FakeImplCtx.new_dynamic_size  # type: ignore[method-assign]
    try:
        yield
    finally:
        FakeImplCtx.create_unbacked_symint = usual  # type: ignore[method-assign]
