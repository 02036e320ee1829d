"""How the declared inputs reach forward(): all by name, or all in order; anything else is an error.

Reads a signature and calls the network. Never changes an input.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.errors import BuildError
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import torch

_Parameter = inspect.Parameter
_NAMED = (_Parameter.POSITIONAL_OR_KEYWORD, _Parameter.KEYWORD_ONLY)
_ORDERED = (_Parameter.POSITIONAL_ONLY, _Parameter.POSITIONAL_OR_KEYWORD)


def call(network: torch.nn.Module, spec: ModelSpec, tensors: Sequence[torch.Tensor]) -> Any:
    """Call `network` with `tensors`, which are in the order of the spec.

    Raises BuildError as `by_name` does.
    """
    if by_name(network.forward, spec):
        return network(**dict(zip(spec.inputs, tensors, strict=True)))
    return network(*tensors)


def by_name(forward: Callable[..., Any], spec: ModelSpec) -> bool:
    """Tell whether the inputs go by name: forward() has all the names.

    If it has none of them, the inputs go in order. Behind *args a name may also stand where it is declared; **kwargs
    takes any name as long as forward() has another. Raises BuildError with both lists where some names match and others
    do not, or their number does not fit.
    """
    parameters = _parameters(forward)
    if parameters is None:
        return False
    named = {name for name, one in parameters.items() if one.kind in _NAMED}
    matching = [name for name in spec.inputs if name in named]
    keywords = any(one.kind is _Parameter.VAR_KEYWORD for one in parameters.values())
    if matching and (keywords or len(matching) == len(spec.inputs)):
        _require_all(parameters, spec)
        return True
    if matching and not _in_their_places(parameters, spec):
        other = [name for name in spec.inputs if name not in named]
        raise BuildError(
            f"model {spec.name}: inputs= declares {_listed(spec.inputs)} and forward() takes {_listed(parameters)}: "
            f"{_listed(matching)} match by name but {_listed(other)} do not. Rename {_listed(other)} to the names of "
            "forward(), or give every input another name to pass them in order"
        )
    _require_number(parameters, spec)
    return False


def _parameters(forward: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """Return the parameters of forward(); None if it has no signature, like code that is not Python's."""
    try:
        return inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return None


def _in_their_places(parameters: Mapping[str, inspect.Parameter], spec: ModelSpec) -> bool:
    """Tell whether order and names agree: forward(x, *others) for the inputs x and y."""
    ordered = [name for name, one in parameters.items() if one.kind in _ORDERED]
    several = any(one.kind is _Parameter.VAR_POSITIONAL for one in parameters.values())
    return several and list(spec.inputs)[: len(ordered)] == ordered


def _require_all(parameters: Mapping[str, inspect.Parameter], spec: ModelSpec) -> None:
    required = [name for name, one in parameters.items() if one.kind in (*_NAMED, *_ORDERED) and _is_required(one)]
    if missing := [name for name in required if name not in spec.inputs]:
        raise BuildError(
            f"model {spec.name}: forward() also needs {_listed(missing)}, but inputs= declares only "
            f"{_listed(spec.inputs)}: declare it too, or give it a default in forward()"
        )


def _require_number(parameters: Mapping[str, inspect.Parameter], spec: ModelSpec) -> None:
    ordered = [one for one in parameters.values() if one.kind in _ORDERED]
    least = sum(map(_is_required, ordered))
    several = any(one.kind is _Parameter.VAR_POSITIONAL for one in parameters.values())
    only_named = [name for name, one in parameters.items() if one.kind is _Parameter.KEYWORD_ONLY and _is_required(one)]
    given = len(spec.inputs)
    if given < least or (given > len(ordered) and not several) or only_named:
        raise BuildError(
            f"model {spec.name}: inputs= declares {given} ({_listed(spec.inputs)}) and forward() takes "
            f"{_listed(parameters)}: declare an input for each, or give the others a default in forward()"
        )


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty


def _listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
