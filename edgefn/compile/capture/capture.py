"""A network caught as a program: `torch.export` with its symbolic dimensions free, then ONNX.

The method is torch.export (https://docs.pytorch.org/docs/stable/export.html) and the dynamo exporter of
torch.onnx. Owns how the two are called; never decides accuracy.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.accuracy.bound import Bound
from edgefn.accuracy.rules import Judging
from edgefn.backends import output_names
from edgefn.compile import translations
from edgefn.compile.capture import arguments, exporting, foreign, recurrent, refusals, results, rewrites
from edgefn.compile.capture.eager import EagerSession, without_fast_path
from edgefn.compile.dimensions import rounding, texts
from edgefn.compile.dimensions.symbols import dimension, lengths_of, symbols_of
from edgefn.compile.files.opening import Traceable
from edgefn.compile.onnx import (
    constants,
    file,
    no_rows,
    registry,
    spectra,
    sums,
    values,
)
from edgefn.compile.repeatability import effects
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

if TYPE_CHECKING:
    import torch


class Capture:
    """A captured network; satisfies `edgefn.compile.lower.lowering.Captured`.

    `model` is the spec with its outputs filled in; `program` is the `torch.export.ExportedProgram`; `telling` has the
    lengths at which artifacts must be tried, by word.
    """

    sizes: Mapping[str, int] = MappingProxyType({})
    calibration: Sequence[GoldenSample] = ()
    judges: Sequence[GoldenSample] = ()
    judging = Judging()
    bound: Bound | None = None
    quantize = Quantize()
    profiles: Path | None = None

    def __init__(
        self,
        model: ModelSpec,
        program: torch.export.ExportedProgram,
        symbols: Mapping[str, str],
        telling: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        self.model = model
        self.telling = telling
        self.program = program
        self._symbols = symbols
        self._folder = Path(tempfile.mkdtemp(prefix="edgefn-capture-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def onnx(self, opset: int | None = None) -> Path:
        """Export the program to `model.onnx`, remove the noise, and return the path.

        Raises BuildError if the program does not export to that opset.
        """
        import torch

        table = translations.table(self.program, self.model.name)
        with _quiet(), recurrent.kept_whole(), constants.exact(), registry.kept(), _frozen(self.program):
            try:
                exported = torch.onnx.export(
                    self.program,
                    dynamo=True,
                    verbose=False,
                    input_names=list(self.model.inputs),
                    output_names=[output_names.inside(one, self.model.inputs) for one in self.model.outputs],
                    opset_version=opset,
                    custom_translation_table=table,
                )
            except Exception as error:  # the exporter raises what its translation functions raise
                raise refusals.not_translated(self.model.name, self.program, error) from error
        assert exported is not None, "torch.onnx.export returns a program when it is given no file"
        assert exported.exported_program is not None, "it came from one"
        exporting.check_translation(self.program, exported.exported_program, self.model)
        model = exported.model
        rounding.exact(model, exported.exported_program)
        spectra.settle(model)
        sums.split(model, {name: self.model.ranges.get(word, SizeRange()) for name, word in self._symbols.items()})
        no_rows.refuse_nothing(model)
        values.settle(model)
        if opset is not None:
            file.check_opset(model, opset, self.model.name)
        file.strip(model, self._symbols)
        path = self._folder / f"opset-{model.opset_imports.get('', 0)}" / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        file.save(model, path)
        return path

    @property
    def own_opset(self) -> None:
        """Return None: a program has no opset before it is exported."""

    def shared(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Let `fill` write a new folder, and return the folder.

        An earlier folder is not used again: the calibration inputs may have changed since then.
        """
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))
        fill(folder)
        return folder


def capture(session: EagerSession, sizes: Mapping[str, int] | None = None) -> Capture:
    """Export the network of `session` with every symbolic dimension free.

    `sizes` are lengths of free dimensions, from a real input. The spec gains the ranges that the network takes. Raises
    BuildError with the model, torch's message, the user's line where it is known, and the remedy.
    """
    from edgefn.compile.capture import examples

    spec, network = session.spec, session.network
    wrapper = _flat(network.traceable() if isinstance(network, Traceable) else network, spec)
    with _quiet(), without_fast_path(), texts.noted() as noted:
        program, ranges, _ = exporting.export(wrapper, spec, sizes or {})
        symbols = symbols_of(program, spec)
        taken = {symbol: ranges.get(word, SizeRange(0)) for symbol, word in symbols.items()}  # as a box takes them
        program = foreign.resolved(rewrites.rewrite(program, taken), spec.name)
        effects.check(program, examples.zeros_of(spec, lengths_of(program, spec)), spec.name)
    outputs = _output_specs(program, wrapper.names, symbols)
    _check_declared(spec, outputs)
    model = msgspec.structs.replace(spec, outputs=outputs, ranges=ranges)
    usual = {**lengths_of(program, spec), **(sizes or {})}
    rounded, named = rounding.telling(program, model, usual), texts.telling(network, usual) if noted else {}
    telling = {word: [*rounded.get(word, ()), *named.get(word, ())] for word in usual}
    return Capture(model, program, symbols, {word: lengths for word, lengths in telling.items() if lengths})


def _flat(network: torch.nn.Module, spec: ModelSpec) -> Any:
    """Wrap the network in a module from the inputs, in their declared order, to a tuple of the outputs.

    The module keeps the outputs' names.
    """
    import torch

    class Flat(torch.nn.Module):
        names: tuple[str, ...] = ()

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def named_modules(self, memo: Any = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator[Any]:
            # A submodule at two places is said once. Else torch.export wraps every submodule in a new object at each
            # access (AttrProxy in torch/fx/experimental/proxy_tensor.py), and `layer is self.last`, a dict by module
            # or an attribute set on a class goes wrong, without a word.
            named: Iterator[Any] = super().named_modules(memo, prefix, True)
            return named

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            outputs = results.named_outputs(arguments.call(self.network, spec, tensors), spec)
            Flat.names = tuple(outputs)
            return tuple(outputs.values())

    return Flat().eval()


def _output_specs(
    program: torch.export.ExportedProgram, names: Sequence[str], symbols: Mapping[str, str]
) -> dict[str, TensorSpec]:
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    values = [node.meta["val"] for node in output.args[0]][-len(names) :]  # before them: buffers it writes
    return {
        name: TensorSpec(
            str(value.dtype).removeprefix("torch."), tuple(dimension(size, symbols) for size in value.shape)
        )
        for name, value in zip(names, values, strict=True)
    }


def _check_declared(spec: ModelSpec, outputs: Mapping[str, TensorSpec]) -> None:
    for name, declared in spec.outputs.items():
        found = outputs[name]
        agree = len(declared.shape) == len(found.shape) and all(
            wanted == size or (isinstance(wanted, str) and isinstance(size, str))
            for wanted, size in zip(declared.shape, found.shape, strict=True)
        )
        if declared.dtype != found.dtype or not agree:
            raise BuildError(
                f"model {spec.name}: output {name!r} is declared as {declared}, the network gives {found}; "
                "correct outputs= or leave it out"
            )


_TRIED = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")
"""They log what then is raised; example lengths that a network does not take are no errors."""


@contextmanager
def _frozen(program: torch.export.ExportedProgram) -> Iterator[None]:
    """Disable the gradients of all weights within the block.

    Attention chooses its way by them, and how its rows lie in memory.
    """
    import torch

    weights = [weight for weight in program.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        with torch.no_grad():
            yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        _forget_sizes(program)


def _forget_sizes(program: torch.export.ExportedProgram) -> None:
    """Forget sizes that follow from values and were made for the exporter.

    Otherwise the next export would miss their steps.
    """
    modes = (getattr(node.meta.get("val"), "fake_mode", None) for node in program.graph.nodes)
    if (mode := next((one for one in modes if one is not None), None)) is not None and mode.shape_env is not None:
        mode.shape_env.pending_fresh_unbacked_symbols.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the exporter's own deprecations, notes and printed graphs within the block.

    Errors are raised unchanged. torch.export prints the graph up to the line that it refuses, thousands of lines of it.
    """
    names = ("torch.onnx", "torch.fx", "torch.export", "onnxscript", "onnx_ir", *_TRIED)
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        # Of each torch.nn.LSTM, whose weights are parameters all the same; told as of whoever called it.
        warnings.filterwarnings("ignore", message=r"The tensor attributes? .* assigned during export")
        warnings.filterwarnings("ignore", module=r"(torch|onnxscript|onnx_ir|copyreg)(\.|$)")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL if logger.name in _TRIED else logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
