"""The functions of tests/clients/functions as bundles. They have no models, so no build is needed to make them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from edgefn.bundle import layers
from edgefn.bundle.config import BundleConfig
from edgefn.bundle.oci.layout import Bundle, Layout
from edgefn.function import EdgeFunction
from edgefn.spec import FunctionSpec

FOLDER = Path(__file__).parent / "functions"


def imported(path: Path) -> ModuleType:
    """Return the module of a file, imported under the name that a bundle has it by."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


def functions_of(module: ModuleType) -> dict[str, EdgeFunction[..., Any]]:
    """Return a module's functions by name."""
    return {name: one for name, one in vars(module).items() if isinstance(one, EdgeFunction)}


kinds = imported(FOLDER / "kinds.py")
FUNCTIONS = functions_of(kinds)


def specs() -> list[FunctionSpec]:
    """Return what a box knows of each function."""
    return [one.spec for one in FUNCTIONS.values()]


def bundles(folder: Path, source: Path = FOLDER, functions: Iterable[FunctionSpec] | None = None) -> list[Bundle]:
    """Write a bundle of each function of the module in `source` into a layout in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    layout, code = Layout(folder / "layout"), layers.code(source, folder / "code.tar")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [
        layout.open(
            layout.write(
                BundleConfig(
                    function=spec,
                    python=python,
                    platform=f"manylinux_2_28_{platform.machine()}",
                    edgefn=importlib.metadata.version("edgefn"),
                ),
                [code],
            )
        )
        for spec in (specs() if functions is None else functions)
    ]
