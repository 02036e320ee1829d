"""A backend of somebody else's, installed as pip would: a distribution in a folder on the box's path.

Its engine is ONNX Runtime under another name, so that a test can take the library away or make it crash. The first
artifact of the bundle made here has a network of more work with the same answer: the other one is faster anywhere.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np

from edgefn import golden
from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.record import Asked, Reference
from edgefn.bundle import archive, layers
from edgefn.bundle.config import (
    ARTIFACT_TYPE,
    CODE_TYPE,
    GOLDEN_TYPE,
    MODEL_ANNOTATION,
    TARGET_ANNOTATION,
    ArtifactEntry,
    BundleConfig,
    ModelEntry,
)
from edgefn.bundle.layers import PackedLayer
from edgefn.bundle.oci.descriptors import Descriptor
from edgefn.bundle.oci.layout import Bundle, Layout
from edgefn.spec import FunctionSpec, ModelSpec, TensorSpec
from edgefn.targets.needs import Needs

NAME = "twice"
WIDTH = 128
PORTABLE = ArtifactEntry("double", "portable/fp32", "onnxruntime")
SWIFT = ArtifactEntry("double", "x86-64-v3/fp32@swift", "swift", needs=Needs(library="swift"))

HANDLER = """
import os, time
import numpy as np
from edgefn import edge_function, edge_model, tensor

@edge_model(inputs={"x": tensor("float32", "batch", 128)}, outputs={"y": tensor("float32", "batch", 128)})
def double():
    raise NotImplementedError

@edge_function(memory="64MiB")
def twice(n: int, seconds: float = 0.002, rows: int = 1) -> int:
    time.sleep(seconds)
    return round(float(double(x=np.full((rows, 128), n, np.float32))[0, 0]))
"""

_BACKEND = """
import shutil
from pathlib import Path
from edgefn.targets.probe import Probe

class Swift:
    name = "swift"
    fork_safe = True

    def probe(self):
        from importlib.metadata import PackageNotFoundError, version
        try:
            return Probe(True, version("swift"), "swift " + version("swift"))
        except PackageNotFoundError:
            return Probe(False, fix="pip install swift")

    def warm_up(self):
        pass

    def finish(self, portable, folder):
        import swift_engine
        swift_engine.at("finish")
        shutil.copy(portable / "model.onnx", folder / "model.onnx")

    def load(self, folder, *, threads=1, batched=False):
        import swift_engine
        swift_engine.at("load")
        from edgefn import backends
        return swift_engine.Session(backends.get("onnxruntime").load(folder, threads=threads, batched=batched))
"""

_ENGINE = '''
import os, time
from pathlib import Path

def at(moment):
    """The process stands still or ends here when a test has asked for it."""
    while moment in asked("holds"):
        time.sleep(0.01)
    if moment in asked("aborts"):
        os.abort()

def asked(what):
    path = Path(__file__).with_name(what)
    return path.read_text().split() if path.exists() else ()

class Session:
    def __init__(self, inner):
        self._inner = inner

    def run(self, inputs):
        at("run")
        outputs = self._inner.run(inputs)
        if asked("misshapes") and len(inputs["x"]) > 2:
            return {name: array[:2] for name, array in outputs.items()}
        wrong = any(len(inputs["x"]) > int(rows) for rows in asked("wrong"))
        factor = 1.5 if wrong else 1.000005 if asked("near") else 1
        return {name: array * factor for name, array in outputs.items()}
'''


class Library:
    """The distribution `swift` in `folder`: the backend, and its engine, the library that it needs."""

    def __init__(self, folder: Path, *, aborts: str = "") -> None:
        self.folder = folder
        (folder / "swift_engine").mkdir(parents=True)
        (folder / "swift_backend.py").write_text(_BACKEND)
        (folder / "swift_engine" / "__init__.py").write_text(_ENGINE)
        self.abort_at(aborts)
        self.become("1.0")

    @property
    def before(self) -> list[str]:
        """The command before a box's own that puts the distribution on its path."""
        return ["env", f"PYTHONPATH={self.folder}", "PYTHONDONTWRITEBYTECODE=1"]

    def abort_at(self, moments: str) -> None:
        """From its next look on the engine ends its process at `moments`: of finish, load and run."""
        (self.folder / "swift_engine" / "aborts").write_text(moments)

    def hold_at(self, moments: str) -> None:
        """From its next look on the engine stands still at `moments`, as long as they are asked for."""
        (self.folder / "swift_engine" / "holds").write_text(moments)

    def compute_wrongly(self, *, beyond: int = 0) -> None:
        """Have the engine's numbers be half as much again from now on, where there are more rows than `beyond`."""
        (self.folder / "swift_engine" / "wrong").write_text(str(beyond))

    def misshape(self) -> None:
        """From now on the engine answers no more than two rows, as one does that was compiled for two."""
        (self.folder / "swift_engine" / "misshapes").write_text("yes")

    def compute_nearly(self) -> None:
        """From now on the engine's numbers are off by 0.0005 %, which no limit sees and a rounded answer does."""
        (self.folder / "swift_engine" / "near").write_text("yes")

    def become(self, version: str) -> None:
        """Another version is installed, as `pip install --upgrade` under a running box."""
        for old in self.folder.glob("swift-*.dist-info"):
            shutil.rmtree(old)
        information = self.folder / f"swift-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: swift\nVersion: {version}\n")
        (information / "entry_points.txt").write_text("[edgefn.backends]\nswift = swift_backend:Swift\n")

    def delete(self) -> None:
        """As `pip uninstall` under a running box."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def bundle(
    folder: Path,
    *,
    scale: tuple[int, int] = (0, 4),
    more: tuple[ArtifactEntry, ...] = (),
    factor: int = 2,
    answers: Mapping[int, int] = MappingProxyType({}),
    handler: str = HANDLER,
    golden_inputs: bool = True,
    sizes: tuple[int, ...] = (),
) -> Bundle:
    """The function `twice` with a portable artifact and one for `swift`, which is faster; and with `more`.

    The portable one doubles, and with the `factor` of 2 all of them do. `answers` are what eager is said to have
    answered to requests of a number; they travel in the bundle. Its golden pairs are of one row, and of so many as
    `sizes` has.
    """
    spec = FunctionSpec(NAME, f"{NAME}:{NAME}", memory_bytes=64 * 2**20, scale=scale, golden_inputs=golden_inputs)
    shape = TensorSpec("float32", ("batch", WIDTH))
    model = ModelEntry(ModelSpec("double", {"x": shape}, {"y": shape}), golden=2 if golden_inputs else 0)
    code = folder / "code"
    code.mkdir(parents=True)
    (code / f"{NAME}.py").write_text(handler)
    samples = {"double": _golden(folder, sizes, outputs=golden_inputs)}
    parts = [layers.code(code, folder / "code.tar"), layers.golden(samples, folder / "golden.tar")]
    parts += _answered(answers, folder) if answers else []
    entries = (PORTABLE, SWIFT, *more)
    for entry in entries:
        tar = folder / f"{entry.target.replace('/', '-')}.tar"
        network = _network(300) if entry == PORTABLE else _network(0, factor)
        digest, size = archive.pack([(f"{entry.path}/model.onnx", network)], tar)
        notes = {MODEL_ANNOTATION: entry.model, TARGET_ANNOTATION: entry.target}
        parts.append(PackedLayer(Descriptor(ARTIFACT_TYPE, digest, size, notes), tar))
    assert [part.descriptor.media_type for part in parts[:2]] == [CODE_TYPE, GOLDEN_TYPE]
    layout = Layout(folder / "layout")
    return layout.open(layout.write(BundleConfig(spec, (model,), entries, requests=len(answers)), parts))


def _answered(answers: Mapping[int, int], folder: Path) -> list[PackedLayer]:
    asked = tuple(Asked(f"{number}.json", "application/json") for number in answers)
    reference = Reference(asked, tuple(map(record.encode, answers.values())))
    bodies = [json.dumps({"n": number, "seconds": 0}).encode() for number in answers]
    return [
        layers.requests(bodies, folder / "requests.tar"),
        layers.answers(msgspec.msgpack.encode(reference), folder / "answers.tar"),
    ]


def _network(rounds: int, factor: int = 2) -> bytes:
    """y = `factor` x, after so many products with a permutation and its inverse, which take their time alone."""
    from onnx import TensorProto, helper, numpy_helper

    shift = np.roll(np.eye(WIDTH, dtype=np.float32), 1, axis=0)
    nodes, name = [], "x"
    for number in range(2 * rounds):
        nodes.append(helper.make_node("MatMul", [name, f"p{number % 2}"], [f"x{number}"]))
        name = f"x{number}"
    nodes.append(helper.make_node("Sum", [name] * factor, ["y"]))
    graph = helper.make_graph(
        nodes,
        "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", WIDTH])],
        [numpy_helper.from_array(matrix, f"p{number}") for number, matrix in enumerate((shift, shift.T.copy()))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    serialized: bytes = model.SerializeToString()
    return serialized


def _golden(folder: Path, sizes: tuple[int, ...] = (), *, outputs: bool = True) -> bytes:
    """Return two golden samples, and a pair for each of `sizes`; without `outputs`, the call of zeros."""
    path = folder / "double.npz"
    if not outputs:
        golden.write([golden.GoldenSample({"x": np.zeros((1, WIDTH), np.float32)}, {})], path)
        return path.read_bytes()
    row = np.arange(WIDTH, dtype=np.float32).reshape(1, WIDTH)
    samples, resized = (
        tuple(golden.GoldenSample({"x": x}, {"y": 2 * x}) for x in inputs)
        for inputs in ([row, 2 * row], [row * np.arange(1, rows + 1, dtype=np.float32)[:, None] for rows in sizes])
    )
    golden.write(golden.Pairs(samples, sizes=resized), path)
    return path.read_bytes()
