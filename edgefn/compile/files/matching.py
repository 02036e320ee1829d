"""Which input of a file is which declared one, and whether dtypes and dimensions agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edgefn.errors import BuildError
from edgefn.spec import TensorSpec


class FileTensor(NamedTuple):
    """A tensor of a file.

    `dtype` is empty and `shape` None if the file does not declare them. None in `shape` is any size.
    """

    dtype: str = ""
    shape: tuple[int | str | None, ...] | None = None

    def __str__(self) -> str:
        dtype = self.dtype or "tensor"
        return (
            dtype
            if self.shape is None
            else f"{dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"
        )


def matched(declared: Sequence[str], found: Sequence[str], what: str) -> dict[str, str]:
    """Match each declared name with the file's name for it.

    Equal names belong together. The other names are matched in order if none of the file's is a name that Python could
    write ("input.1"), or if no names at all are equal. Raises BuildError with both lists where the match is not clear.
    """
    same = [name for name in declared if name in found]
    rest, others = ([name for name in names if name not in same] for names in (declared, found))
    if len(declared) != len(found) or (same and any(name.isidentifier() for name in others)):
        raise BuildError(f"{what} are declared as {_list(declared)}, but the file has {_list(found)}: declare those")
    pairs = dict(zip(rest, others, strict=True))
    return {name: pairs.get(name, name) for name in declared}


def check(declared: Mapping[str, TensorSpec], found: Mapping[str, FileTensor], what: str, free: str) -> None:
    """Check that each declared input fits the file's input of that name.

    `free` explains how to free a size. Raises BuildError for the first input that does not fit.
    """
    for name, spec in declared.items():
        tensor = found[name]
        if tensor.dtype and tensor.dtype != spec.dtype:
            raise _unlike(name, spec, tensor, what, f"declare {tensor.dtype}, and convert the array in the handler")
        if tensor.shape is None:
            continue
        if len(tensor.shape) != len(spec.shape):
            raise _unlike(name, spec, tensor, what, "declare as many dimensions")
        for axis, (wanted, size) in enumerate(zip(spec.shape, tensor.shape, strict=True)):
            if isinstance(size, int) and isinstance(wanted, str):
                raise _unlike(
                    name,
                    spec,
                    tensor,
                    what,
                    f"declare {size} for {wanted!r}, or {free.format(name=name, axis=axis, size=wanted)}",
                )
            if isinstance(size, int) and size != wanted:
                raise _unlike(name, spec, tensor, what, f"declare {size} for {wanted}")


def _unlike(name: str, spec: TensorSpec, found: FileTensor, what: str, advice: str) -> BuildError:
    return BuildError(f"{what}: input {name!r} is declared as {spec}, but the file has {found}; {advice}")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
