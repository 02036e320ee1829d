"""`@edge_model`: a builder of a network, turned into a callable model with named, typed inputs.

It owns the checks at the model's door, the same whatever runs behind it: a finished artifact on a box, eager PyTorch
elsewhere. It must never import PyTorch before a model that has no artifact is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from pathlib import PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgefn.batching import read_batching
from edgefn.bundle.config import Bound
from edgefn.errors import BuildError, InputError, SpecError
from edgefn.options import check_name
from edgefn.quantization import Quantize, bf16_bound, int8_bound, read_quantize
from edgefn.spec import Batching, ModelSpec, TensorSpec
from edgefn.suggestion import did_you_mean
from edgefn.tensors import bind
from edgefn.tolerance import read_tolerance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.backends.backend import Session

    Array = NDArray[np.generic]
    Samples = str | Callable[[], Iterable[Mapping[str, NDArray[Any]]]] | None


class EdgeModel:
    """A model: NumPy arrays in and out by name, held against the declared dtypes and dimensions.

    spec      its inputs, and its outputs where they were declared
    builder   the user's function, which returns a torch.nn.Module; never called on a box
    samples   where golden samples come from: a glob below the function's folder, or a callable yielding inputs
    bound     how far an artifact may be from the eager outputs
    batching  how a box runs concurrent calls as one; None: each alone
    quantize  how int8 artifacts are made
    calibration  where the inputs come from that int8 ranges are taken from, as `samples`; None: from the samples
    """

    def __init__(
        self,
        builder: Callable[[], Any],
        spec: ModelSpec,
        samples: Samples,
        bound: Bound,
        batching: Batching | None = None,
        quantize: Quantize | None = None,
        calibration: Samples = None,
    ) -> None:
        update_wrapper(self, builder)  # first: it also copies whatever attributes the builder has
        self.builder = builder
        self.spec = spec
        self.samples = samples
        self.bound = bound
        self.batching = batching
        self.quantize = quantize or Quantize()
        self.calibration = calibration
        self._session: Session | None = None

    def __call__(self, **arrays: Array) -> NDArray[Any]:
        """The one output for `arrays`. Raises SpecError for a model of several outputs, and as `run` does."""
        if len(self.spec.outputs) > 1:
            raise self._several(self.spec.outputs)
        outputs = self.run(**arrays)
        if len(outputs) != 1:
            raise self._several(outputs)
        return next(iter(outputs.values()))

    def run(self, **arrays: Array) -> dict[str, NDArray[Any]]:
        """All outputs by name. Raises InputError naming the model and the input that does not fit its spec."""
        return self._run(self._checked(arrays))

    def bind(self, session: Session) -> None:
        """From now on `session` runs the model: an artifact's on a box, a verifier's at build."""
        self._session = session

    @property
    def int8_bound(self) -> Bound:
        """How far an int8 artifact may be from the eager outputs."""
        return int8_bound(self.bound, self.quantize)

    def bound_of(self, precision: str) -> Bound:
        """How far an artifact of `precision` may be from the eager outputs."""
        match precision:
            case "bf16":
                return bf16_bound(self.bound)
            case _ if precision.startswith("int"):
                return self.int8_bound
        return self.bound

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}: {spec}" for name, spec in self.spec.inputs.items())
        return f"<edge_model {self.spec.name}({inputs})>"

    def _run(self, arrays: dict[str, Array]) -> dict[str, NDArray[Any]]:
        if self._session is not None:
            return self._session.run(arrays)
        try:
            from edgefn.compile.eager import EagerSession

            session = EagerSession(self.builder, self.spec)
            outputs = session.run(arrays)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "torch":
                raise
            raise BuildError(
                f"model {self.spec.name} has no artifact here, so it runs on eager PyTorch, which is not "
                "installed: pip install 'edgefn[compile]'"
            ) from error
        self._session = session
        return outputs

    def _checked(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """The arrays in the order of the spec, C-contiguous and of native byte order."""
        for name in arrays:
            if name not in self.spec.inputs:
                raise InputError(f"model {self.spec.name} has no input {name!r}{did_you_mean(name, self.spec.inputs)}")
        dims: dict[str, int] = {}
        return {name: self._fitted(name, spec, arrays, dims) for name, spec in self.spec.inputs.items()}

    def _fitted(self, name: str, spec: TensorSpec, arrays: dict[str, Array], dims: dict[str, int]) -> Array:
        import numpy as np

        where = f"model {self.spec.name}, input {name!r}"
        if name not in arrays:
            raise InputError(f"{where} is missing, needs {spec}")
        array = arrays[name]
        if not isinstance(array, np.ndarray | np.generic):
            raise InputError(f"{where} has a {type(array).__name__}, needs a NumPy array {spec}")
        try:
            bind(spec, array.dtype.name, array.shape, dims)
        except ValueError as error:
            raise InputError(f"{where} {error}") from None
        return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")

    def _several(self, outputs: Iterable[str]) -> SpecError:
        return SpecError(
            f"model {self.spec.name} has the outputs {', '.join(outputs)}: call {self.spec.name}.run(...), which "
            "returns them by name"
        )


def edge_model(
    *,
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec] | None = None,
    samples: Samples = None,
    tolerance: float | Bound | None = None,
    batch: int | None = None,
    batch_wait: str | float | None = None,
    quantize: Quantize | None = None,
    calibration: Samples = None,
) -> Callable[[Callable[[], Any]], EdgeModel]:
    """Makes a builder, a function without parameters that returns a torch.nn.Module, a callable model.

    @edge_model(inputs={"pixels": tensor("float32", "batch", 3, 224, 224)}, samples="samples/*.jpg")
    def efficientnet(): ...

    scores = efficientnet(pixels=array)

    `outputs` names and checks the network's outputs; without it they are read from the network at build. `samples`
    is a glob of request bodies below the function's folder, or a callable that yields dicts of input arrays.
    `tolerance` is the largest error of an artifact relative to the largest eager output, or a Bound.
    With `batch`, calls that are inside one instance at the same time run as one, of at most so many rows of the
    first dimension; the handler stays as it is. A call waits for others for `batch_wait` at most (default "2ms"). The
    box measures whether that gains anything and runs each call alone where it does not. It needs
    @edge_function(concurrency=...) above 1.
    `quantize` says how int8 artifacts are made, where a target asks for them; `calibration` names the inputs that
    their ranges are taken from, in the same ways as `samples`, which they should not be among.
    Raises SpecError at import for what cannot be honoured.
    """

    def decorate(builder: Callable[[], Any]) -> EdgeModel:
        where = f"@edge_model {getattr(builder, '__name__', builder)!s}"
        _check_builder(builder, where)
        spec = ModelSpec(builder.__name__, _tensors(inputs, f"{where}: inputs"), {})
        if outputs is not None:
            spec = ModelSpec(spec.name, spec.inputs, _tensors(outputs, f"{where}: outputs"))
        batching = read_batching(batch, batch_wait, spec.inputs, spec.outputs, where)
        return EdgeModel(
            builder,
            spec,
            _check_samples(samples, where),
            read_tolerance(tolerance, where),
            batching,
            read_quantize(quantize, where),
            _check_samples(calibration, where, "calibration"),
        )

    return decorate


def models_of(module: ModuleType) -> dict[str, EdgeModel]:
    """The models that `module` holds, its own and those it imported, by name. Raises SpecError when two share one."""
    found: dict[str, EdgeModel] = {}
    for value in vars(module).values():
        if isinstance(value, EdgeModel) and found.setdefault(value.spec.name, value) is not value:
            raise SpecError(f"module {module.__name__} holds two models called {value.spec.name}: rename one builder")
    return found


def _check_builder(builder: object, where: str) -> None:
    if not inspect.isfunction(builder):
        raise SpecError(f"{where}: put it on a `def` without parameters that returns a torch.nn.Module")
    check_name(builder.__name__, f"{where}: the function's name")
    if any(p.default is p.empty for p in inspect.signature(builder).parameters.values()):
        raise SpecError(f"{where}: the builder takes parameters; the build calls it without any")


def _tensors(specs: object, where: str) -> dict[str, TensorSpec]:
    example = '{"pixels": tensor("float32", "batch", 3, 224, 224)}'
    if not isinstance(specs, Mapping) or not specs:
        raise SpecError(f"{where} is {specs!r}: write a dict of tensors by name, e.g. {example}")
    for name, spec in specs.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise SpecError(f"{where} has the name {name!r}: use a Python identifier, it is a keyword of the call")
        if not isinstance(spec, TensorSpec):
            raise SpecError(f"{where}: {name} is {spec!r}: write a tensor, e.g. {example}")
    return dict(specs)


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
