"""Bundles are the ecosystem's: Debian's skopeo reads and copies them unchanged."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from edgefn.bundle.oci.layout import Layout
from tests.e2e.bundles import Bundles


def test_skopeo_copies_a_bundle_unchanged(tmp_path: Path, bundles: Bundles, tool: Callable[[str], str]) -> None:
    """After `skopeo copy` the manifest has the same digest, and every blob is there and whole."""
    bundle = bundles.of("linear")
    source = bundle.folder.path.parents[1]
    target = tmp_path / "copy"
    command = [tool("skopeo"), "copy", "--preserve-digests", f"oci:{source}:linear", f"oci:{target}:linear"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    copied = Layout(target).open(bundle.manifest_digest)
    assert copied.config == bundle.config
    copied.verify()
