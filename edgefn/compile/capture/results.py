"""What a network returns, taken apart into tensors by name.

    tensor                          "output"
    tuple, list                     "output_0", "output_1", …; a named tuple and a dataclass: their fields
    dict                            its keys
    one in another                  the names joined: "boxes_0", "features_p3"

None is omitted, and so is a cache of transformers (`past_key_values`). Never changes a value, but that bfloat16, which
NumPy has not, becomes float32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgefn.errors import BuildError
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import torch

    Members = Iterable[tuple[object, Any]]

ALONE = "output"
"""The name of a single tensor, and what the names of a sequence begin with."""

_RETURN = "return tensors, alone or in tuples, lists, dicts and dataclasses"


def named_outputs(result: Any, spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Return the tensors in a network's result by name, in order.

    `outputs=` of the spec picks or renames them. Raises BuildError on anything that is no tensor, on a tensor that
    NumPy cannot hold, and on names that do not fit.
    """
    found: dict[str, torch.Tensor] = {}
    for path, value in _leaves(result, ()):
        name = _name(path)
        if name in found:
            raise BuildError(f"model {spec.name}: its forward() returns two outputs called {name!r}; rename one")
        found[name] = _plain(name, value, spec)
    if not found:
        raise BuildError(f"model {spec.name}: its forward() returned nothing to serve; {_RETURN}")
    return _declared(found, spec, by_name=_has_names(result)) if spec.outputs else found


def left_out(result: Any) -> tuple[str, ...]:
    """Return the names of the caches in a network's result, which are no outputs."""
    return tuple(_name(path) for path, value in _paths(result, ()) if _is_cache(value))


def _leaves(value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], Any]]:
    return ((at, one) for at, one in _paths(value, path) if one is not None and not _is_cache(one))


def _paths(value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], Any]]:
    members = None if _is_cache(value) else _members(value)
    if members is None:
        yield path, value
        return
    for key, member in members:
        yield from _paths(member, (*path, key))


def _members(value: Any) -> Members | None:
    """Return the parts of a container by key; None for a value that is no container."""
    if isinstance(value, Mapping):
        return value.items()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple | list):
        return list(zip(getattr(value, "_fields", None) or range(len(value)), value, strict=True))
    return None


def _is_cache(value: Any) -> bool:
    """Tell whether `value` is the cache that transformers carries from one step of a decoder to the next."""
    return any(base.__name__ == "Cache" and base.__module__.startswith("transformers.") for base in type(value).__mro__)


def _has_names(result: Any) -> bool:
    return isinstance(result, Mapping) or dataclasses.is_dataclass(result)


def _name(path: tuple[object, ...]) -> str:
    named = path if path and isinstance(path[0], str) else (ALONE, *path)
    return "_".join(map(str, named))


def _plain(name: str, value: Any, spec: ModelSpec) -> torch.Tensor:
    import torch

    if not isinstance(value, torch.Tensor):
        raise BuildError(f"model {spec.name}: its forward() returned {name}: {type(value).__name__}; {_RETURN}")
    if value.is_complex():
        raise BuildError(
            f"model {spec.name}: output {name!r} is complex, which no artifact returns; "
            f"return torch.view_as_real(y), or the parts y.real and y.imag"
        )
    if value.is_sparse or value.is_nested or value.is_quantized:
        kind, dense = _layout(value)
        raise BuildError(f"model {spec.name}: output {name!r} is a {kind} tensor; return y{dense}")
    return value.float() if value.dtype == torch.bfloat16 else value


def _layout(value: torch.Tensor) -> tuple[str, str]:
    if value.is_nested:
        return "nested", ".to_padded_tensor(0.0)"
    return ("quantized", ".dequantize()") if value.is_quantized else ("sparse", ".to_dense()")


def _declared(found: dict[str, torch.Tensor], spec: ModelSpec, *, by_name: bool) -> dict[str, torch.Tensor]:
    if set(found) == set(spec.outputs) or (by_name and set(found) > set(spec.outputs)):
        return {name: found[name] for name in spec.outputs}
    if by_name or len(found) != len(spec.outputs):
        raise BuildError(
            f"model {spec.name}: outputs= names {', '.join(spec.outputs)}, "
            f"but its forward() returns {', '.join(found)}; declare those, or return the declared ones"
        )
    return dict(zip(spec.outputs, found.values(), strict=True))
