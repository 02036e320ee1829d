"""Bundles are the ecosystem's: skopeo, an independent implementation from Debian, copies them byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgefn.bundle.oci.layout import Layout
from tests.edgefn.bundle.bundles import config, packed, written


@pytest.fixture
def skopeo() -> str:
    """skopeo's path. Where it is missing the test is skipped, but on CI, where it must be there, it fails."""
    found = shutil.which("skopeo")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("skopeo is missing: apt-get install skopeo")
    return found or pytest.skip("skopeo is missing: apt-get install skopeo")


def run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_copied_layout_is_the_same(tmp_path: Path, skopeo: str) -> None:
    """After `skopeo copy` of one tag, manifest, config and layers are byte-for-byte those that were written."""
    layout, digest = written(tmp_path)
    layout.write(config("other"), packed(tmp_path / "other", code="x = 2\n"))
    run(skopeo, "--insecure-policy", "copy", f"oci:{layout.path}:classify", f"oci:{tmp_path}/copy:classify")
    bundle, copied = layout.open("classify"), Layout(tmp_path / "copy").open()
    assert copied.manifest_digest == digest
    copied.verify()
    names = {blob.digest.removeprefix("sha256:") for blob in bundle.blobs()}
    copies = {path.name: path.read_bytes() for path in (tmp_path / "copy" / "blobs" / "sha256").iterdir()}
    assert copies == {name: bundle.blob_path(f"sha256:{name}").read_bytes() for name in names}


def test_a_layout_of_skopeo_can_be_written_to(tmp_path: Path, skopeo: str) -> None:
    """A layout that skopeo made takes further bundles, and keeps what it has."""
    layout, digest = written(tmp_path)
    run(skopeo, "--insecure-policy", "copy", f"oci:{layout.path}:classify", f"oci:{tmp_path}/copy:classify")
    other = Layout(tmp_path / "copy").write(config("other"), packed(tmp_path / "other"))
    assert Layout(tmp_path / "copy").functions() == {"classify": digest, "other": other}


def test_skopeo_inspects_the_very_manifest(tmp_path: Path, skopeo: str) -> None:
    """`skopeo inspect --raw` prints the manifest's bytes."""
    layout, digest = written(tmp_path)
    raw = run(skopeo, "--insecure-policy", "inspect", "--raw", f"oci:{layout.path}:classify")
    assert raw == layout.open().blob_path(digest).read_bytes()
