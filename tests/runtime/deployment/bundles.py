"""Small bundles, made in memory: a handler, and a linear model where one is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgefn import golden
from edgefn.bundle import archive
from edgefn.bundle.config import (
    ANSWERS_TYPE,
    ARTIFACT_TYPE,
    CODE_TYPE,
    GOLDEN_TYPE,
    MODEL_ANNOTATION,
    REQUESTS_TYPE,
    TARGET_ANNOTATION,
    WHEELS_TYPE,
    ArtifactEntry,
    BundleConfig,
    ModelEntry,
    Wheel,
)
from edgefn.bundle.oci.descriptors import Descriptor, digest_of
from edgefn.bundle.oci.manifest import compose
from edgefn.spec import FunctionSpec, ModelSpec, TensorSpec

WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4) / 10
LINEAR = ModelEntry(
    ModelSpec("linear", {"x": TensorSpec("float32", ("batch", 3))}, {"y": TensorSpec("float32", ("batch", 4))}),
    golden=2,
)
PORTABLE = ArtifactEntry("linear", "portable/fp32", "onnxruntime")


@dataclass(frozen=True)
class SmallBundle:
    """A bundle's blobs by digest, and the files that unpacking it gives, by name."""

    digest: str
    config: BundleConfig
    blobs: dict[str, bytes]
    files: dict[str, bytes]


def function_spec(name: str, **options: Any) -> FunctionSpec:
    """The spec of a function called `name`."""
    return FunctionSpec(name, f"{name}:{name}", **options)


def function(folder: Path, name: str = "greet", *, code: str = "x = 1\n", **options: Any) -> SmallBundle:
    """A function without a model; `folder` is for packing."""
    return pack(folder, BundleConfig(function_spec(name, **options)), {f"code/{name}.py": code.encode()})


def with_model(
    folder: Path,
    name: str = "scale",
    *,
    code: str = "x = 1\n",
    truth: float = 1.0,
    artifacts: tuple[ArtifactEntry, ...] = (PORTABLE,),
) -> SmallBundle:
    """A function with the model `linear`; the golden outputs are `truth` times what the model gives."""
    config = BundleConfig(function_spec(name), (LINEAR,), artifacts)
    files = {f"code/{name}.py": code.encode(), "golden/linear.npz": golden_file(folder, truth)}
    files |= {f"{entry.path}/model.onnx": onnx_file() for entry in artifacts}
    return pack(folder, config, files)


def pack(folder: Path, config: BundleConfig, files: Mapping[str, bytes]) -> SmallBundle:
    """`files` under `config`, one layer for each of their folders, whatever the config says."""
    blobs: dict[str, bytes] = {}
    layers = []
    for room, type, notes in _rooms(config):
        inside = [(path, content) for path, content in files.items() if path.startswith(f"{room}/")]
        if not inside:
            continue
        tar = folder / "layer.tar"
        digest, size = archive.pack(inside, tar)
        blobs[digest] = tar.read_bytes()
        layers.append(Descriptor(type, digest, size, notes))
    manifest, config_bytes = compose(config, layers)
    blobs |= {digest_of(config_bytes): config_bytes, digest_of(manifest): manifest}
    return SmallBundle(digest_of(manifest), config, blobs, {**files, "config.json": config_bytes})


def wheels(folder: Path, *needs: str, python: str = "", platform: str = "any") -> SmallBundle:
    """A function with a wheel that needs `needs` of the box."""
    config = BundleConfig(
        function_spec("greet"),
        wheels=(Wheel("tiny", "1.0", "0" * 64, needs),),
        python=python,
        platform=platform,
    )
    return pack(folder, config, {"code/greet.py": b"", "wheels/tiny.py": b""})


def _rooms(config: BundleConfig) -> list[tuple[str, str, dict[str, str]]]:
    artifacts = [
        (entry.path, ARTIFACT_TYPE, {MODEL_ANNOTATION: entry.model, TARGET_ANNOTATION: entry.target})
        for entry in config.artifacts
    ]
    kinds = {"code": CODE_TYPE, "wheels": WHEELS_TYPE, "golden": GOLDEN_TYPE}
    kinds |= {"requests": REQUESTS_TYPE, "answers": ANSWERS_TYPE}
    return [*((folder, kind, {}) for folder, kind in kinds.items()), *artifacts]


def onnx_file() -> bytes:
    """y = x · WEIGHTS, as an ONNX file."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    serialized: bytes = model.SerializeToString()
    return serialized


def golden_file(folder: Path, truth: float = 1.0) -> bytes:
    """Two golden samples of `linear`."""
    inputs = [np.full((1, 3), n, dtype=np.float32) for n in (1, 2)]
    samples = [golden.GoldenSample({"x": x}, {"y": (x @ WEIGHTS) * np.float32(truth)}) for x in inputs]
    path = folder / "golden.npz"
    golden.write(samples, path)
    return path.read_bytes()


def unpacked(bundle: SmallBundle, folder: Path) -> Path:
    """`folder`, with the bundle's files in it."""
    for name, content in bundle.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def of_a_newer_edgefn(folder: Path) -> SmallBundle:
    """A bundle whose config this edgefn does not know how to read."""
    bundle = function(folder)
    manifest = msgspec.json.decode(bundle.blobs[bundle.digest])
    config = msgspec.json.encode(msgspec.structs.replace(bundle.config, schema_version=99))
    manifest["config"] |= {"digest": digest_of(config), "size": len(config)}
    rewritten = msgspec.json.encode(manifest)
    blobs = bundle.blobs | {digest_of(config): config, digest_of(rewritten): rewritten}
    return SmallBundle(digest_of(rewritten), bundle.config, blobs, bundle.files)
