"""Which backends there are: the built-in ones, then the installed entry points. Never imports an inference stack."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from edgefn.backends.backend import Backend
from edgefn.errors import BundleError
from edgefn.text.suggestion import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "edgefn.backends"
BUILT_IN = {
    "aotinductor": "edgefn.backends.aotinductor:AotInductor",
    "mnn": "edgefn.backends.mnn:Mnn",
    "onnxruntime": "edgefn.backends.onnxruntime:OnnxRuntime",
    "openvino": "edgefn.backends.openvino:OpenVino",
    "torchscript": "edgefn.backends.torchscript:TorchScript",
}


@cache
def get(name: str) -> Backend:
    """Return the backend called `name`, made once per process.

    Raise BundleError when there is none, or it does not load.
    """
    target = BUILT_IN.get(name) or _installed_target(name)
    module, _, attribute = target.partition(":")
    try:
        backend: Backend = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise BundleError(f"backend {name!r} cannot be loaded from {target!r}: {error}") from error
    return backend


def names() -> list[str]:
    """List the names that `get` knows, sorted."""
    return sorted({*_installed(), *BUILT_IN})


def _installed_target(name: str) -> str:
    entry = _installed().get(name)
    if entry is None:
        raise BundleError(
            f"no backend {name!r} here (known: {', '.join(names())}){_meant(name)} install the distribution that "
            f"offers it as an entry point of the group {GROUP!r}"
        )
    return entry.value


def _meant(name: str) -> str:
    meant = nearest(name, names())
    return f"{meant} Else" if meant else ":"


@cache  # reading the metadata takes 40 ms, and a bundle may name thousands of backends that there are not
def _installed() -> dict[str, EntryPoint]:
    # Imported here: reading metadata brings `email` along, 3 MB that a zygote with the built-in backend need not hold.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def look_again() -> None:
    """Forget the installed backends, so that the next call reads them again."""
    _installed.cache_clear()
