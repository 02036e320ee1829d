"""The extras of edgefn, and the command that installs one: the only place where that hint is written.

edgefn is on no index. But whoever reads a hint has it already, and pip then takes the installed one and asks its index
only for the packages that the extra names. It must never import more than `import edgefn` does.
"""

from __future__ import annotations

CUDA = "PyTorch: 0.2 GB from an index of CPU builds, by --extra-index-url; 2.7 GB with CUDA from others"
"""What a person should know before the gigabytes come; docs/decisions/torch-range.md has the figures."""

_WITH_TORCH = ("compile", "torch")

_SIGNS = {"compile": "torch", "runtime": "uvicorn"}
"""A module that comes with the extra and with no other."""


def command(*extras: str, beside: tuple[str, ...] = ()) -> str:
    """Return the command that adds `extras` to this installation of edgefn, and the packages `beside` it."""
    ours = (f"'edgefn[{','.join(extras)}]'",) if extras else ()
    return " ".join([_pip(), "install", *ours, *beside])


def hint(*extras: str, beside: tuple[str, ...] = ()) -> str:
    """Return the command, and behind it what comes along where that is large."""
    told = command(*extras, beside=beside)
    return told if set(extras).isdisjoint(_WITH_TORCH) else f"{told} ({CUDA})"


def missing(*extras: str) -> tuple[str, ...]:
    """Return those of "runtime" and "compile" in `extras` that are not installed here; imports nothing."""
    from importlib.util import find_spec

    return tuple(extra for extra in extras if find_spec(_SIGNS[extra]) is None)


def _pip() -> str:
    """Return pip as a shell finds it where that is this interpreter's, else the interpreter's with its path."""
    import os
    import shlex
    import shutil
    import sys

    found = shutil.which("pip")
    ours = found is not None and os.path.dirname(os.path.abspath(found)) == os.path.dirname(sys.executable)
    return "pip" if ours else f"{shlex.quote(sys.executable or 'python3')} -m pip"
