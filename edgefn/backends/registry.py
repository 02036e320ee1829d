"""Which engines there are: the built-in ones, then the installed entry points. Never imports an inference stack."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

from edgefn.backends.backend import Backend
from edgefn.errors import BundleError
from edgefn.text.suggestion import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

Half = TypeVar("Half")


class EngineRegistry(Generic[Half]):
    """One half of each engine, by the engine's name: the box's, or the build machine's.

    kind      the word for it in errors: "backend"
    group     of entry points, each of which names a class; a built-in name cannot be taken over by one
    built_in  "module:Class" by name
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, str]) -> None:
        self._kind, self._group, self._built_in = kind, group, built_in
        self._made: dict[str, Half] = {}
        self._found: dict[str, EntryPoint] | None = None

    def get(self, name: str) -> Half:
        """Return the engine called `name`, made once per process.

        Raise BundleError when there is none, or it does not load.
        """
        if name not in self._made:
            target = self._built_in.get(name) or self._installed_target(name)
            module, _, attribute = target.partition(":")
            try:
                self._made[name] = getattr(import_module(module), attribute)()
            except (ImportError, AttributeError) as error:
                raise BundleError(f"{self._kind} {name!r} does not load from {target!r}: {error}") from error
        return self._made[name]

    def names(self) -> list[str]:
        """List the names that `get` knows, sorted."""
        return sorted({*self._installed(), *self._built_in})

    def look_again(self) -> None:
        """Forget the installed engines, so that the next call reads them again."""
        self._found = None

    def forget(self) -> None:
        """Forget the engines that were made, too: for tests that install another of the same name."""
        self._made.clear()
        self.look_again()

    def _installed_target(self, name: str) -> str:
        entry = self._installed().get(name)
        if entry is None:
            raise BundleError(
                f"no {self._kind} is called {name!r} here (there are {', '.join(self.names())}){self._meant(name)} "
                f"install the distribution that offers it as an entry point of the group {self._group!r}"
            )
        return entry.value

    def _meant(self, name: str) -> str:
        meant = nearest(name, self.names())
        return f"{meant} Else" if meant else ":"

    def _installed(self) -> dict[str, EntryPoint]:
        """Return the entry points, read once: that takes 40 ms, and a bundle may name thousands of unknown backends."""
        if self._found is None:
            # Imported here: reading metadata brings `email` along, 3 MB that a zygote with built-in backends lacks.
            from importlib.metadata import entry_points

            self._found = {entry.name: entry for entry in entry_points(group=self._group)}
        return self._found


BACKENDS: EngineRegistry[Backend] = EngineRegistry(
    "backend",
    "edgefn.backends",
    {
        "aotinductor": "edgefn.backends.aotinductor:AotInductor",
        "mnn": "edgefn.backends.mnn:Mnn",
        "onnxruntime": "edgefn.backends.onnxruntime:OnnxRuntime",
        "openvino": "edgefn.backends.openvino:OpenVino",
        "torchscript": "edgefn.backends.torchscript:TorchScript",
    },
)
get, names, look_again = BACKENDS.get, BACKENDS.names, BACKENDS.look_again
