"""Bundles for the tests: built once a session, by the command that the CLI runs, and altered ones made from them."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from edgefn.bundle import archive, layers
from edgefn.bundle.config import CODE_TYPE, GOLDEN_TYPE, BundleConfig
from edgefn.bundle.layers import PackedLayer
from edgefn.bundle.oci.descriptors import Descriptor
from edgefn.bundle.oci.layout import Bundle, Layout

REPOSITORY = Path(__file__).parents[2]
TINY = Path(__file__).parent / "functions"
EXAMPLES = REPOSITORY / "functions"


class Bundles:
    """Builds functions below `shared`, once for all workers of a session; what is made from them lies in `folder`."""

    def __init__(self, folder: Path, shared: Path | None = None) -> None:
        self.folder = folder
        self._shared = shared or folder / "built"
        self._built: dict[str, Bundle] = {}

    def of(self, name: str) -> Bundle:
        """The bundle of a function of tests/e2e/functions or of functions/, built when first asked for."""
        return self.built(name, self.source(name))

    def source(self, name: str) -> Path:
        """Return the folder of a function's source."""
        return TINY / name if (TINY / name).is_dir() else EXAMPLES / name

    def layout(self, key: str) -> Layout:
        """Return the layout of what is built under `key`."""
        return Layout(self._shared / key / "layout")

    def built(self, key: str, source: Path, *options: str) -> Bundle:
        """Return the bundle of the function in `source`, built when `key` is first asked for, in whichever worker."""
        if key not in self._built:
            folder, layout = self._shared / key, self.layout(key)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (folder / "digest").exists():
                    (folder / "digest").write_text(build(source, layout.path, *options))
            self._built[key] = layout.open((folder / "digest").read_text())
        return self._built[key]

    def with_code(self, name: str, code: str, *, title: str) -> Bundle:
        """`name`'s bundle with another handler module: what a build would refuse can be sent to a box."""
        bundle = self.of(name)
        scratch = self.folder / title
        module = bundle.config.function.entry.partition(":")[0]
        source = scratch / module
        source.mkdir(parents=True)
        (source / f"{module}.py").write_text(code)
        return self._write(bundle, {CODE_TYPE: layers.code(source, scratch / "code.tar")}, scratch)

    def with_golden(self, name: str, samples: Mapping[str, bytes], *, title: str) -> Bundle:
        """`name`'s bundle with other golden samples, of the same number."""
        scratch = self.folder / title
        scratch.mkdir()
        return self._write(self.of(name), {GOLDEN_TYPE: layers.golden(samples, scratch / "golden.tar")}, scratch)

    def with_config(self, name: str, config: BundleConfig, *, title: str) -> Bundle:
        """`name`'s layers under another config."""
        scratch = self.folder / title
        scratch.mkdir()
        return self._write(self.of(name), {}, scratch, config)

    def _write(
        self, bundle: Bundle, replaced: Mapping[str, PackedLayer], scratch: Path, config: BundleConfig | None = None
    ) -> Bundle:
        kept = [
            replaced.get(layer.media_type) or PackedLayer(layer, bundle.blob_path(layer.digest))
            for layer in bundle.layers
        ]
        layout = Layout(scratch / "layout")
        return layout.open(layout.write(config or bundle.config, kept))

    def golden_files(self, name: str) -> dict[str, bytes]:
        """The golden samples in `name`'s bundle: the bytes of an npz by model."""
        bundle = self.of(name)
        (layer,) = [layer for layer in bundle.layers if layer.media_type == GOLDEN_TYPE]
        folder = self.folder / f"{name}-golden"
        unpack(layer, bundle, folder)
        return {path.stem: path.read_bytes() for path in sorted(folder.rglob("*.npz"))}


def unpack(layer: Descriptor, bundle: Bundle, folder: Path) -> None:
    """`layer`'s files lie below `folder`, which was empty or missing."""
    shutil.rmtree(folder, ignore_errors=True)
    archive.unpack(bundle.blob_path(layer.digest), folder, limit_bytes=layer.size)


def build(source: Path, layout: Path, *options: str) -> str:
    """The digest of the function in `source`, built into `layout` in a process of its own."""
    command = [sys.executable, "-m", "edgefn.compile", str(source), "--output", str(layout), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    last = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    assert last.get("event") == "built", f"{source.name} does not build:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return str(last["digest"])
