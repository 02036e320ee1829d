"""Which backends there are: the built-in ones, then the installed entry points. Never imports an inference stack."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from edgefn.backends.backend import Backend
from edgefn.errors import BundleError

GROUP = "edgefn.backends"
BUILT_IN = {"onnxruntime": "edgefn.backends.onnxruntime:OnnxRuntime"}


@cache
def get(name: str) -> Backend:
    """The backend called `name`, made once per process. Raises BundleError when there is none, or it does not load."""
    entry = _entries().get(name)
    if entry is None:
        raise BundleError(
            f"no backend is called {name!r} here (there are {', '.join(names())}): "
            f"install the distribution that offers it as an entry point of the group {GROUP!r}"
        )
    try:
        backend: Backend = entry.load()()
    except (ImportError, AttributeError) as error:
        raise BundleError(f"backend {name!r} does not load from {entry.value!r}: {error}") from error
    return backend


def names() -> list[str]:
    """The names that `get` knows, sorted."""
    return sorted(_entries())


def _entries() -> dict[str, EntryPoint]:
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    return installed | {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}
