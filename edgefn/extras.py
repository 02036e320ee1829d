"""The extras of edgefn, and the command that installs one: the only place where that hint is written.

edgefn is on no index. But whoever reads a hint has it already, and pip then takes the installed one and asks its index
only for the packages that the extra names. Pure, and as light as `import edgefn`.
"""

from __future__ import annotations

CUDA = "PyTorch: 0.2 GB from an index of CPU builds, by --extra-index-url; 2.7 GB with CUDA from others"
"""What a person should know before the gigabytes come; docs/decisions/torch-range.md has the figures."""

_WITH_TORCH = ("compile", "torch")


def command(extra: str) -> str:
    """Return the command that adds `extra` to this installation of edgefn."""
    return f"{_pip()} install 'edgefn[{extra}]'"


def hint(extra: str) -> str:
    """Return the command, and behind it what comes along where that is large."""
    return f"{command(extra)} ({CUDA})" if extra in _WITH_TORCH else command(extra)


def _pip() -> str:
    """Return pip as a shell finds it where that is this interpreter's, else the interpreter's with its path."""
    import os
    import shlex
    import shutil
    import sys

    found = shutil.which("pip")
    ours = found is not None and os.path.dirname(os.path.abspath(found)) == os.path.dirname(sys.executable)
    return "pip" if ours else f"{shlex.quote(sys.executable or 'python3')} -m pip"
