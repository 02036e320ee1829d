"""An engine that runs what an artifact says, as AOTInductor and TorchScript do: installed beside the box as pip would.

A deed is Python in the artifact's file; what it leaves in `found` is told as the reason why the artifact did not pass.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from edgefn.bundle.config import ArtifactEntry, BundleConfig
from tests.runtime.deployment import bundles
from tests.runtime.deployment.bundles import SmallBundle

DEVICE = f"/dev/edgefn-finisher-{os.getpid()}"
"""The node that the declared backend's compiler needs; a test makes it where it may."""
ENTRY = ArtifactEntry("linear", "portable/fp32", "hostile")

_ENGINE = """
from pathlib import Path
from edgefn.backends.backend import FinishNeeds, Probe

class Told(Exception):
    pass

class Hostile:
    name = "hostile"
    fork_safe = True

    def probe(self):
        return Probe(True, "1")

    def warm_up(self):
        pass

    def finish(self, portable, folder):
        names = {"folder": folder, "portable": portable}
        exec((portable / "deed.py").read_text(), names)
        if "found" in names:
            raise Told(names["found"])

    def load(self, folder, *, threads=1, batched=False):
        return Session()

class Declared(Hostile):
    name = "declared"
    finish_needs = FinishNeeds(reads=("TOOLKIT",), programs=("/bin/true",), devices=("DEVICE",), memory_bytes=2**31)

class Session:
    def run(self, inputs):
        import numpy as np
        return {"y": inputs["x"] @ (np.arange(12, dtype=np.float32).reshape(3, 4) / 10)}
"""


def install(folder: Path) -> Path:
    """The distribution lies in `folder`, which is to be on the box's path."""
    info = folder / "hostile_engine-1.dist-info"
    info.mkdir(parents=True)
    toolkit = folder.with_name("toolkit")
    toolkit.mkdir()
    (toolkit / "compiler").write_text("compiler")
    (folder / "hostile_engine.py").write_text(_ENGINE.replace("TOOLKIT", str(toolkit)).replace("DEVICE", DEVICE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[edgefn.backends]\nhostile = hostile_engine:Hostile\ndeclared = hostile_engine:Declared\n"
    )
    return folder


def bundle(folder: Path, deed: str, name: str = "scale", backend: str = "hostile") -> SmallBundle:
    """A function whose one artifact does `deed` as it is finished."""
    entry = msgspec.structs.replace(ENTRY, backend=backend)
    config = BundleConfig(bundles.function_spec(name), (bundles.LINEAR,), (entry,))
    files = {
        f"code/{name}.py": b"x = 1\n",
        "golden/linear.npz": bundles.golden_file(folder),
        f"{ENTRY.path}/deed.py": deed.encode(),
    }
    return bundles.pack(folder, config, files)
