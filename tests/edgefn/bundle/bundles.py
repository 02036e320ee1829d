"""Small whole bundles for these tests, without a model or a build."""

from __future__ import annotations

from pathlib import Path

from edgefn.bundle import layers
from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.layers import PackedLayer
from edgefn.bundle.oci.layout import Layout
from edgefn.spec import FunctionSpec, ModelSpec, TensorSpec

ARTIFACT = ArtifactEntry("net", "portable/fp32", "onnxruntime", {"onnx": "1.18", "torch": "2.13"})
NET = ModelSpec("net", {"pixels": TensorSpec("float32", ("batch", 3))}, {"scores": TensorSpec("float32", ("batch",))})


def config(name: str = "classify") -> BundleConfig:
    """The config of a function with one model and its portable artifact."""
    function = FunctionSpec(name, f"{name}:{name}")
    return BundleConfig(function, (ModelEntry(NET, golden=2),), (ARTIFACT,), edgefn="0.1.0")


def packed(folder: Path, code: str = "x = 1\n", weights: bytes = b"weights") -> list[PackedLayer]:
    """The code, artifact and golden layers, their sources and archives below `folder`."""
    function, artifact = folder / "function", folder / "artifact"
    function.mkdir(parents=True)
    artifact.mkdir()
    (function / "classify.py").write_text(code)
    (artifact / "model.onnx").write_bytes(weights)
    return [
        layers.code(function, folder / "code.tar"),
        layers.artifact(ARTIFACT, artifact, folder / "artifact.tar"),
        layers.golden({"net": b"samples"}, folder / "golden.tar"),
    ]


def written(folder: Path, name: str = "classify") -> tuple[Layout, str]:
    """A layout with one bundle, and the bundle's digest."""
    layout = Layout(folder / "layout")
    return layout, layout.write(config(name), packed(folder / "sources"))
