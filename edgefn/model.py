"""`@edge_model`: a builder of a network, turned into a callable model with named, typed inputs.

It owns the checks of a model's inputs, the same for a finished artifact on a box and for eager PyTorch elsewhere.
It must never import PyTorch before a model that has no artifact is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from importlib import import_module
from pathlib import PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.accuracy.bound import Bound, read_tolerance
from edgefn.accuracy.options import Accuracy, read_accuracy
from edgefn.batching import read_batching
from edgefn.codec.tensors import bind_shape
from edgefn.dimensions.shapes import OutputShapes
from edgefn.dimensions.sizes import combined, misfit
from edgefn.errors import BuildError, ModelInputError, SizeError, SpecError, WrongShape
from edgefn.options import check_name
from edgefn.quantization import Quantize, read_quantize
from edgefn.spec import Batching, ModelSpec, TensorSpec
from edgefn.text.suggestion import did_you_mean
from edgefn.weights import Weights, read_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.session import Session

    Array = NDArray[np.generic]
    Slices = dict[str, dict[str, Callable[[Any], Any]]]
    Samples = str | Callable[[], Iterable[Mapping[str, NDArray[Any]]]] | None


_EAGER = ("edgefn.compile.capture.eager", "EagerSession")
"""The module and the class that run a model without an artifact: by name, because the build stands above this module
and a box never has PyTorch."""


class EdgeModel:
    """A model: NumPy arrays in and out by name, checked against the declared dtypes and dimensions.

    spec      its inputs, and its outputs where they were declared
    builder   the user's function, which returns a network or the path of a model file; never called on a box
    samples   the source of golden samples: a glob below the function's folder, or a callable yielding inputs
    accuracy  how near artifacts must be to the eager outputs
    bound     the additional bound of `tolerance=`; None: nothing
    slices    parts of outputs that are judged separately, as functions by name, by output; "" for the only one
    batching  how a box runs concurrent calls as one; None: each call runs separately
    quantize  how int8 artifacts are made
    calibration  the source of the inputs for int8 ranges, as `samples`; None: the samples
    weights   files that the builder reads and that are not code: paths and globs, relative to the function's folder
    """

    def __init__(
        self,
        builder: Callable[[], Any],
        spec: ModelSpec,
        samples: Samples,
        bound: Bound | None = None,
        batching: Batching | None = None,
        quantize: Quantize | None = None,
        calibration: Samples = None,
        weights: tuple[str, ...] = (),
        accuracy: Accuracy | None = None,
        slices: Slices | None = None,
    ) -> None:
        update_wrapper(self, builder)  # first: it also copies whatever attributes the builder has
        self.builder = builder
        self.spec = spec
        self.samples = samples
        self.bound = bound
        self.batching = batching
        self.quantize = quantize or Quantize()
        self.calibration = calibration
        self.weights = weights
        self.accuracy = accuracy or Accuracy()
        self.slices: Slices = dict(slices or {})
        self._session: Session | None = None
        self._shapes: OutputShapes | None = None
        self._tell: Callable[[str], None] = lambda reason: None

    def __call__(self, **arrays: Array) -> NDArray[Any]:
        """Return the one output for `arrays`.

        Raise SpecError for a model of several outputs, and the errors of `run`.
        """
        if len(self.spec.outputs) > 1:
            raise self._several(self.spec.outputs)
        outputs = self.run(**arrays)
        if len(outputs) != 1:
            raise self._several(outputs)
        return next(iter(outputs.values()))

    def run(self, **arrays: Array) -> dict[str, NDArray[Any]]:
        """Run the model; all outputs by name.

        Raise ModelInputError naming the input that does not fit its spec, SizeError for a length that the model does
        not take, and WrongShape where an artifact gives an output of another shape than the network's.
        """
        dims: dict[str, int] = {}
        checked = self._checked(arrays, dims)
        if self.spec.ranges and (wrong := misfit(self.spec.ranges, dims)):
            raise SizeError(
                f"model {self.spec.name}: {wrong}. Declare that with the handler's parameter, e.g. "
                f'tensor(..., Dim("{wrong.partition(" ")[0]}", ...)), or check it and raise InputError'
            )
        outputs = self._run(checked)
        if self._shapes is not None and (wrong := self._shapes.misfit(outputs, dims)):
            self._tell(wrong)
            raise WrongShape(f"model {self.spec.name}: {wrong}")
        return outputs

    @property
    def is_bound(self) -> bool:
        """Tell whether a session runs the model already, an artifact's or eager PyTorch's."""
        return self._session is not None

    def bind(
        self, session: Session, spec: ModelSpec | None = None, tell: Callable[[str], None] = lambda reason: None
    ) -> None:
        """Run the model by `session` from now on: an artifact's on a box, a verifier's at build.

        `spec` is the bundle's, with the lengths that the network takes and its outputs' shapes. Each call is checked
        against it; `tell` is called for an output of another shape.
        """
        self._session, self._tell = session, tell
        self._shapes = None
        if spec is not None:
            self.spec = msgspec.structs.replace(self.spec, outputs=spec.outputs, ranges=spec.ranges)
            self._shapes = OutputShapes(spec)

    def bound_of(self, precision: str) -> Bound | None:
        """Return the author's bound on an artifact of `precision` beside `accuracy`; None: nothing."""
        if precision.startswith("int"):
            return self.quantize.bound
        return self.bound if precision == "fp32" else None

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}: {spec}" for name, spec in self.spec.inputs.items())
        return f"<edge_model {self.spec.name}({inputs})>"

    def _run(self, arrays: dict[str, Array]) -> dict[str, NDArray[Any]]:
        if self._session is not None:
            return self._session.run(arrays)
        try:
            session: Session = getattr(import_module(_EAGER[0]), _EAGER[1])(self.builder, self.spec)
            outputs = session.run(arrays)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "torch":
                raise
            from edgefn import extras

            raise BuildError(
                f"model {self.spec.name} has no artifact here and needs eager PyTorch, which is not installed: "
                f"{extras.hint('compile')}"
            ) from error
        self._session = session
        return outputs

    def _checked(self, arrays: dict[str, Array], dims: dict[str, int]) -> dict[str, Array]:
        """Check `arrays`; return them in the order of the spec, C-contiguous and of native byte order.

        Raise ModelInputError for a name that is no input, and bind symbolic dimensions in `dims`.
        """
        for name in arrays:
            if name not in self.spec.inputs:
                raise ModelInputError(
                    f"model {self.spec.name} has no input {name!r}{did_you_mean(name, self.spec.inputs)}"
                )
        return {name: self._fitted(name, spec, arrays, dims) for name, spec in self.spec.inputs.items()}

    def _fitted(self, name: str, spec: TensorSpec, arrays: dict[str, Array], dims: dict[str, int]) -> Array:
        import numpy as np

        where = f"model {self.spec.name}, input {name!r}"
        if name not in arrays:
            raise ModelInputError(f"{where} is missing, needs {spec}")
        array = arrays[name]
        if not isinstance(array, np.ndarray | np.generic):
            raise ModelInputError(f"{where} has a {type(array).__name__}, needs a NumPy array {spec}")
        try:
            bind_shape(spec, array.dtype.name, array.shape, dims)
        except ValueError as error:
            cast = f": write .astype(np.{spec.dtype})" if array.dtype.name != spec.dtype else ""
            raise ModelInputError(f"{where} {error}{cast}") from None
        return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")

    def _several(self, outputs: Iterable[str]) -> SpecError:
        return SpecError(
            f"model {self.spec.name} has the outputs {', '.join(outputs)}: call {self.spec.name}.run(...), which "
            "returns them by name"
        )


def edge_model(
    *,
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec | Callable[[Any], Any]] | None = None,
    samples: Samples = None,
    accuracy: float | Accuracy | None = None,
    tolerance: float | Bound | None = None,
    batch: int | None = None,
    batch_wait: str | float | None = None,
    quantize: Quantize | None = None,
    calibration: Samples = None,
    weights: Weights = None,
) -> Callable[[Callable[[], Any]], EdgeModel]:
    """Turn a builder, a function without parameters that returns a network, into a callable model.

    @edge_model(inputs={"pixels": tensor("float32", "batch", 3, 224, 224)}, samples="samples/*.jpg")
    def efficientnet(): ...

    scores = efficientnet(pixels=array)

    A network is a torch.nn.Module, a torch.jit.ScriptModule, a torch.export.ExportedProgram, or the pathlib.Path of a
    file, beside the builder's own, of TorchScript, of a program (.pt2) or of ONNX (docs/models.md).
    `outputs` names and checks the network's outputs; without it they are read from the network at build. `samples`
    is a glob of request bodies below the function's folder, or a callable that yields dicts of input arrays.
    `outputs` may instead name slices of an output, by functions of its array, e.g. {"boxes": lambda y: y[..., :4],
    "scores": lambda y: y[..., 4:]}: each is judged separately. Of several outputs, a function's parameter names its
    own.
    `accuracy` is how near artifacts must be: the largest error of a slice as a fraction of how far eager's answer moves
    between samples, or an Accuracy. `tolerance` asks for more: the largest error relative to the largest eager output.
    With `batch`, calls that are inside one instance at the same time run as one; `batch` is the most rows of the first
    dimension that it may have. The handler does not change. A call waits for others for `batch_wait` at most (default
    "2ms"). The box measures whether that gains anything; if not, it runs each call separately. It needs
    @edge_function(concurrency=...) above 1.
    `quantize` sets how int8 artifacts are made, where a target asks for them; `calibration` names the inputs for their
    ranges, in the same ways as `samples`. These inputs should not be among the samples.
    `weights` names the files that the builder reads and that are no code: a path or a glob, or several, relative to
    the function's folder, e.g. "../runs/best.pth". They are hashed, so new weights are a new build; no box gets them.
    Raise SpecError at import for invalid options.
    """

    def decorate(builder: Callable[[], Any]) -> EdgeModel:
        where = f"@edge_model {getattr(builder, '__name__', builder)!s}"
        _check_builder(builder, where)
        tensors = _tensors(inputs, f"{where}: inputs")
        declared, slices = _divided(outputs, f"{where}: outputs")
        named = _outputs(declared, f"{where}: outputs") if declared else {}
        spec = ModelSpec(builder.__name__, tensors, named, combined(tensors, f"{where}: inputs"))
        batching = read_batching(batch, batch_wait, spec.inputs, spec.outputs, where)
        return EdgeModel(
            builder,
            spec,
            _check_samples(samples, where),
            read_tolerance(tolerance, where),
            batching,
            read_quantize(quantize, where),
            _check_samples(calibration, where, "calibration"),
            read_weights(weights, where),
            read_accuracy(accuracy, where),
            slices,
        )

    return decorate


def models_of(module: ModuleType) -> dict[str, EdgeModel]:
    """Return the models in `module` by name, its own and imported ones.

    Raise SpecError when two have the same name.
    """
    found: dict[str, EdgeModel] = {}
    for value in vars(module).values():
        if isinstance(value, EdgeModel) and found.setdefault(value.spec.name, value) is not value:
            raise SpecError(f"module {module.__name__} has two models named {value.spec.name}: rename one builder")
    return found


def _check_builder(builder: object, where: str) -> None:
    if not inspect.isfunction(builder):
        raise SpecError(f"{where}: put it on a `def` without parameters that returns a torch.nn.Module or a Path")
    check_name(builder.__name__, f"{where}: the function's name")
    if any(p.default is p.empty for p in inspect.signature(builder).parameters.values()):
        raise SpecError(f"{where}: the builder takes parameters; the build calls it without any")


def _tensors(specs: object, where: str) -> dict[str, TensorSpec]:
    example = '{"pixels": tensor("float32", "batch", 3, 224, 224)}'
    if not isinstance(specs, Mapping) or not specs:
        raise SpecError(f"{where} is {specs!r}: write a dict of tensors by name, e.g. {example}")
    for name, spec in specs.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise SpecError(
                f"{where} has the name {name!r}: use a Python identifier, because it becomes a keyword of the call"
            )
        if not isinstance(spec, TensorSpec):
            raise SpecError(f"{where}: {name} is {spec!r}: write a tensor, e.g. {example}")
    return dict(specs)


def _divided(outputs: object, where: str) -> tuple[dict[str, Any] | None, Slices]:
    """Return the declared tensors of `outputs=`, and the functions that cut slices, by output; "" is the only one."""
    if not isinstance(outputs, Mapping):
        return (None, {}) if outputs is None else (_tensors(outputs, where), {})
    tensors = {name: spec for name, spec in outputs.items() if not callable(spec)}
    slices: Slices = {}
    for name, function in outputs.items():
        if not callable(function):
            continue
        parameters = _parameters(function)
        if len(parameters) != 1 or not isinstance(name, str) or not name:
            raise SpecError(f"{where}: {name} must be a function of one array, e.g. lambda y: y[..., :4]")
        owner = parameters[0] if parameters[0] in tensors else ""
        if len(tensors) > 1 and not owner:
            raise SpecError(
                f"{where}: {name} selects from one of several outputs: give its parameter the name of that output, "
                f"one of {', '.join(tensors)}"
            )
        slices.setdefault(owner, {})[name] = function
    return (_tensors(tensors, where) if tensors or not slices else None), slices


def _parameters(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters; none for a built-in without a signature."""
    try:
        return list(inspect.signature(function).parameters)
    except ValueError:
        return []


def _outputs(specs: object, where: str) -> dict[str, TensorSpec]:
    outputs = _tensors(specs, where)
    for name, spec in outputs.items():
        if spec.ranges:
            raise SpecError(
                f"{where}: {name} is {spec}: declare the lengths in inputs=; those of an output follow from them"
            )
    return outputs


def _check_samples(samples: Samples, where: str, option: str = "samples") -> Samples:
    if samples is None or callable(samples):
        return samples
    path = PurePosixPath(samples) if isinstance(samples, str) and samples else None
    if path is None or path.is_absolute() or ".." in path.parts:
        raise SpecError(
            f"{where}: {option} is {samples!r}: write a glob below the function's folder, e.g. "
            '"samples/*.jpg", or a callable that yields dicts of arrays'
        )
    return samples
