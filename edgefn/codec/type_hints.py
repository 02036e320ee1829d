"""A handler's type hints, read once at import: what each parameter and the result is.

It decides the kind and refuses what no request can carry; how a kind is read is in edgefn.codec.request.parameters.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from edgefn.codec.tensors import DTYPES
from edgefn.errors import SpecError
from edgefn.images.image import Image
from edgefn.images.options import PictureSpec
from edgefn.spec import ParameterKind, TensorSpec

WRITE_TENSOR = 'Annotated[np.ndarray, tensor("float32", "n", 4)]'


class Hint(msgspec.Struct, frozen=True):
    """A type hint read: its kind, the hint without `| None`, whether None is allowed, a tensor's or picture's spec."""

    kind: ParameterKind
    type: Any
    optional: bool = False
    tensor: TensorSpec | None = None
    picture: PictureSpec = PictureSpec()


class Hints(msgspec.Struct, frozen=True):
    """The hints of one handler: name → (hint, default or inspect.Parameter.empty), and the result's type."""

    parameters: dict[str, tuple[Hint, Any]]
    result: Any


def hints_of(handler: Callable[..., Any]) -> Hints:
    """Read the hints of `handler`.

    Raise SpecError that names the parameter whose hint is missing or cannot be read.
    """
    where = f"function {handler.__name__}"
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise SpecError(f"{where} yields: a handler returns one result; collect it in a list")
    signature = inspect.signature(handler)
    parameters = {
        name: (_parameter(handler, parameter, where), parameter.default)
        for name, parameter in signature.parameters.items()
    }
    if signature.return_annotation is inspect.Signature.empty:
        raise SpecError(f"{where} has no type hint for its result: write `-> dict[str, float]`, or `-> None`")
    return Hints(parameters, _evaluated(handler, "return", signature.return_annotation, f"{where}, result"))


def _parameter(handler: Callable[..., Any], parameter: inspect.Parameter, where: str) -> Hint:
    where = f"{where}, parameter {parameter.name}"
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise SpecError(
            f"{where} is {parameter.kind.description}, which a request cannot give: use parameters with names of "
            "their own"
        )
    if parameter.annotation is parameter.empty:
        raise SpecError(
            f"{where} has no type hint: write one, e.g. `{parameter.name}: int`, `{parameter.name}: Image` or "
            f"`{parameter.name}: {WRITE_TENSOR}`"
        )
    return read_hint(_evaluated(handler, parameter.name, parameter.annotation, where), where)


def _evaluated(handler: Callable[..., Any], name: str, annotation: Any, where: str) -> Any:
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    scope = getattr(inspect.unwrap(handler), "__globals__", {})
    try:
        return get_type_hints(holder, globalns=scope, include_extras=True)[name]
    except Exception as error:  # a hint is an expression of the user's, so anything may come out of it
        raise SpecError(
            f"{where} is annotated {annotation!r}, which cannot be evaluated ({type(error).__name__}: {error}): "
            "import or define its names at the top of the module, not under TYPE_CHECKING"
        ) from error


def read_hint(hint: Any, where: str) -> Hint:
    """Return the kind of a parameter's `hint`.

    Raise SpecError, beginning with `where`, for one that is of none.
    """
    inner, optional = _without_none(hint)
    base, specs, pictures = inner, [], []
    if get_origin(inner) is Annotated:
        base = get_args(inner)[0]
        specs = [item for item in get_args(inner)[1:] if isinstance(item, TensorSpec)]
        pictures = [item for item in get_args(inner)[1:] if isinstance(item, PictureSpec)]
    if base is not Image and _declares_picture(hint):
        raise SpecError(
            f"{where} has picture(...) inside {hint}: only a parameter of type Image can have it; inside other types "
            "write `bytes`, and `Image(data, lenient=True)` in the handler"
        )
    if is_array(base) or specs:
        return Hint("tensor", inner, optional, _tensor(base, specs, where))
    if is_pillow(base):
        raise SpecError(f"{where} is annotated as a Pillow image: write `Image` of edgefn, and call its .pil()")
    if base is Image:
        return Hint("image", base, optional, picture=pictures[0] if pictures else PictureSpec())
    if base is bytes or base is str:
        return Hint("bytes" if base is bytes else "text", inner, optional)
    return Hint("value", hint, optional)


def _declares_picture(hint: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Tell whether picture(...) stands anywhere in `hint`, or in a member of a class in it."""
    if isinstance(hint, PictureSpec):
        return True
    parts = get_args(hint)
    if isinstance(hint, type) and "__annotations__" in vars(hint) and hint not in seen:
        try:
            parts = (*parts, *get_type_hints(hint, include_extras=True).values())
        except Exception:  # msgspec tells what is wrong with it
            return False
    return any(_declares_picture(part, (*seen, hint)) for part in parts)


def is_array(hint: Any) -> bool:
    """Tell whether `hint` is np.ndarray or NDArray[...]; NumPy need not be imported to know."""
    return _is(get_origin(hint) or hint, "numpy", "ndarray")


def is_pillow(hint: Any) -> bool:
    """Tell whether `hint` is PIL.Image.Image or a class below it."""
    return isinstance(hint, type) and any(_is(base, "PIL.Image", "Image") for base in hint.__mro__)


def _is(hint: Any, module: str, name: str) -> bool:
    return getattr(hint, "__module__", "") == module and getattr(hint, "__name__", "") == name


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [member for member in get_args(hint) if member is not type(None)]
        if len(rest) == 1 and len(get_args(hint)) == 2:
            return rest[0], True
    return hint, False


def _tensor(base: Any, specs: list[TensorSpec], where: str) -> TensorSpec:
    if not is_array(base) or len(specs) != 1:
        raise SpecError(f"{where} is annotated {base!r} with {len(specs)} tensor(...): write `{WRITE_TENSOR}`")
    dtype = next((get_args(part)[0] for part in get_args(base) if _is(get_origin(part), "numpy", "dtype")), None)
    name = getattr(dtype, "__name__", "")
    if name in DTYPES and name != specs[0].dtype:
        raise SpecError(f"{where} is an NDArray of {name}, but its tensor(...) says {specs[0].dtype}")
    return specs[0]
