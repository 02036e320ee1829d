"""Models where PyTorch is not installed: the portable artifact of the function's last build runs them.

A build on another machine, or an earlier one here, has written the bundle. It must never build, and never replace eager
PyTorch where that is installed.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn import extras
from edgefn.errors import BuildError, BundleError
from edgefn.model import EdgeModel, models_of
from edgefn.targets.groups import PORTABLE

if TYPE_CHECKING:
    from edgefn.bundle.config import ArtifactEntry
    from edgefn.bundle.oci.layout import Bundle
    from edgefn.function import EdgeFunction


def bind(function: EdgeFunction[..., Any]) -> None:
    """Bind each model of the function's module that nothing can run here to its portable artifact.

    Does nothing where PyTorch is installed. Raise BuildError where the artifact is missing, or of another model.
    """
    module = sys.modules.get(function.handler.__module__)
    if module is None or _has_pytorch():
        return
    waiting = [model for model in models_of(module).values() if not model.is_bound]
    if waiting:
        bundle = _bundle(function)
        for model in waiting:
            _bind(model, bundle)


def _has_pytorch() -> bool:
    try:
        return importlib.util.find_spec("torch") is not None
    except ValueError:  # a test has put None in its place
        return False


def _bundle(function: EdgeFunction[..., Any]) -> Bundle:
    from edgefn.bundle.oci.layout import Layout
    from edgefn.project import Project

    folder = Path(function.handler.__code__.co_filename).parent
    layout = Layout(Project.find(folder).output)
    try:
        return layout.open(function.spec.name)
    except BundleError as error:
        raise BuildError(
            f"{function.spec.name} has models, and neither PyTorch nor a build of it is here ({error}): "
            f"{extras.hint('compile')}, or bring a build"
        ) from error


def _bind(model: EdgeModel, bundle: Bundle) -> None:
    from edgefn import backends

    name = model.spec.name
    spec = next((entry.spec for entry in bundle.config.models if entry.spec.name == name), None)
    entry = next((one for one in bundle.config.artifacts if (one.model, one.target) == (name, PORTABLE)), None)
    if spec is None or entry is None or spec.inputs != model.spec.inputs:
        raise BuildError(
            f"the last build of {bundle.config.function.name} has no artifact of this model {name}: build it again"
        )
    with tempfile.TemporaryDirectory() as unpacked:  # a loaded session needs its files no more
        _unpack(bundle, entry, Path(unpacked))
        model.bind(backends.get(entry.backend).load(Path(unpacked) / entry.path), spec)


def _unpack(bundle: Bundle, entry: ArtifactEntry, folder: Path) -> None:
    from edgefn.bundle import archive, references
    from edgefn.bundle.config import ARTIFACT_TYPE

    for layer in bundle.layers:
        if layer.media_type == ARTIFACT_TYPE:  # all: one may have its files in another
            archive.unpack(bundle.blob_path(layer.digest), folder, limit_bytes=layer.size, below=layer.folder)
    references.resolve(folder)
