"""`@edge_function`: an ordinary callable that also carries, as data, how a box must serve it.

It owns the decorated object and how a function's folder becomes one. It must never change a call: on a laptop, in a
notebook and on a box, `classify_image(image)` is the plain Python call.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

import msgspec

from edgefn.accuracy.answers.author import Judge, check_judge
from edgefn.codec.request.signature import Signature
from edgefn.errors import SpecError
from edgefn.options import FunctionOptions, check_name, read_options
from edgefn.spec import FunctionSpec

P = ParamSpec("P")
R = TypeVar("R")
J = TypeVar("J", bound=Judge)


class EdgeFunction(Generic[P, R]):
    """A handler with its spec and its signature. Calling it calls the handler; `await` works for `async def`."""

    __name__: str
    __qualname__: str

    def __init__(self, handler: Callable[P, R], options: FunctionOptions) -> None:
        update_wrapper(self, handler)  # first: it also copies whatever attributes the handler has
        self.handler = handler
        self.signature = Signature.of(handler)
        self.spec = _spec(handler, self.signature, options)
        self.is_async = inspect.iscoroutinefunction(handler)
        self.judge: Judge | None = None

    def match(self, judge: J) -> J:
        """Let `judge(expected, actual)` decide whether an artifact's answer matches eager PyTorch's.

            @classify_image.match
            def same(expected: list[Label], actual: list[Label]) -> bool: ...

        It returns True, a number from 0 to 1 for their likeness (0.95 and more match), or a text with the difference.
        It runs at build and in an instance on the box. Raise SpecError for a `judge` that cannot be called like that.
        """
        check_judge(judge, self.__name__)
        if self.judge is not None:
            raise SpecError(f"@{self.__name__}.match is defined twice: keep one")
        self.judge = judge
        return judge

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.handler(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<edge_function {self.spec.entry}>"


@overload
def edge_function(handler: Callable[P, R], /) -> EdgeFunction[P, R]: ...
@overload
def edge_function(
    **options: Unpack[FunctionOptions],
) -> Callable[[Callable[P, R]], EdgeFunction[P, R]]: ...
def edge_function(handler: Callable[P, R] | None = None, /, **options: Unpack[FunctionOptions]) -> Any:
    """Make a typed function one that a box can serve; with options (see FunctionSpec) or bare.

    @edge_function(memory="256MiB", timeout="2s", idle="60s", scale=(0, 4))
    def classify_image(image: Image) -> list[Label]: ...

    Raise SpecError at import for an invalid option, name or type hint.
    """

    def decorate(handler: Callable[P, R]) -> EdgeFunction[P, R]:
        if not inspect.isfunction(handler):
            raise SpecError(
                f"@edge_function decorates {handler!r}: put it on a `def` or `async def`, and give its options "
                'by name, e.g. @edge_function(memory="256MiB")'
            )
        return EdgeFunction(handler, options)

    return decorate if handler is None else decorate(handler)


def _spec(handler: Callable[..., Any], signature: Signature, options: FunctionOptions) -> FunctionSpec:
    try:
        fields = {"name": handler.__name__} | read_options(options)
        check_name(fields["name"])
    except SpecError as error:
        raise SpecError(f"@edge_function {handler.__qualname__}: {error}") from None
    return FunctionSpec(
        entry=f"{handler.__module__}:{handler.__qualname__}",
        parameters=signature.parameters,
        result=signature.result,
        description=inspect.getdoc(handler) or "",
        **fields,
    )


def load(folder: Path) -> EdgeFunction[..., Any]:
    """Load the one edge function of `folder`.

    Its module, named as the folder, is imported with the folder first on sys.path. Raise SpecError when the folder is
    no function's folder, or has no or several functions. Exceptions of the user's own module during its import pass
    unchanged.
    """
    folder = folder.resolve()
    module = _import(folder)
    name, function = _only_function(module, folder)
    function.spec = msgspec.structs.replace(function.spec, entry=f"{module.__name__}:{name}")
    return function


def _import(folder: Path) -> ModuleType:
    source = folder / f"{folder.name}.py"
    if not source.is_file():
        raise SpecError(f"{folder} is not a function folder: it has no {source.name}")
    if not folder.name.isidentifier():
        raise SpecError(
            f"{folder.name!r} cannot be imported: give the folder the name of a Python module, e.g. my_function"
        )
    if folder.name in sys.stdlib_module_names:
        raise SpecError(f"{source} would hide Python's own module {folder.name!r}: rename the folder")
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]
    importlib.invalidate_caches()
    module = importlib.import_module(folder.name)
    if Path(module.__file__ or "").resolve() != source:
        raise SpecError(
            f"cannot import {source}: another module {folder.name} ({module.__file__ or 'built in'}) is already "
            "imported; rename the folder"
        )
    return module


def _only_function(module: ModuleType, folder: Path) -> tuple[str, EdgeFunction[..., Any]]:
    # One imported from another function's module is that module's, used here as a plain callable.
    found: dict[int, tuple[str, EdgeFunction[..., Any]]] = {}
    for name, value in vars(module).items():
        if isinstance(value, EdgeFunction) and value.__module__ == module.__name__:
            found.setdefault(id(value), (name, value))
    if len(found) != 1:
        names = ", ".join(name for name, _ in found.values()) or "none"
        raise SpecError(f"{folder / folder.name}.py must hold exactly one @edge_function; it holds {names}")
    return next(iter(found.values()))
