"""Bundles in a layout directory: written whole or not at all, read only when right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgefn.bundle.oci.layout import Layout
from edgefn.errors import BuildError, BundleError, DiskFull
from edgefn.system.durable import replace_file
from tests.edgefn.bundle.bundles import config, packed, written

REPOSITORY = Path(__file__).parents[4]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file below `folder` with its time of change and content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_what_was_written_reads_back(tmp_path: Path) -> None:
    """A bundle opens by digest, by name, and by nothing when it is alone; every blob it names is there."""
    layout, digest = written(tmp_path)
    for reference in (digest, "classify", None):
        bundle = layout.open(reference)
        assert (bundle.manifest_digest, bundle.config) == (digest, config())
    bundle.verify()
    assert bundle.blobs()[0].digest == digest
    assert len(bundle.blobs()) == 5
    for blob in bundle.blobs():
        assert bundle.blob_path(blob.digest).stat().st_size == blob.size


def test_the_layout_is_oci(tmp_path: Path) -> None:
    """oci-layout, index.json and blobs/sha256 are as the specification has them, and nothing else is there."""
    layout, digest = written(tmp_path)
    index = json.loads((layout.path / "index.json").read_text())
    assert json.loads((layout.path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert sorted(path.name for path in layout.path.iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert len(list((layout.path / "blobs" / "sha256").iterdir())) == 5
    (entry,) = index["manifests"]
    assert entry["digest"] == digest
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "classify"}


def test_the_same_sources_give_the_same_digest(tmp_path: Path) -> None:
    """Another folder, another time and another order of layers change nothing."""
    _, digest = written(tmp_path / "one")
    layers = packed(tmp_path / "other")
    assert Layout(tmp_path / "two").write(config(), layers[::-1]) == digest
    changed = packed(tmp_path / "changed", code="x = 2\n")
    assert Layout(tmp_path / "two").write(config(), changed) != digest


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    """A second identical write touches no file."""
    layout, digest = written(tmp_path)
    before = snapshot(layout.path)
    assert layout.write(config(), packed(tmp_path / "again")) == digest
    assert snapshot(layout.path) == before


def test_bundles_share_a_layout(tmp_path: Path) -> None:
    """Several functions lie side by side and share equal layers; of one function, the last written is tagged."""
    layout, first = written(tmp_path)
    other = layout.write(config("other"), packed(tmp_path / "other"))
    second = layout.write(config(), packed(tmp_path / "second", code="x = 2\n"))
    assert layout.functions() == {"classify": second, "other": other}
    assert layout.open("classify").manifest_digest == second
    assert layout.open(first).config == config()
    with pytest.raises(BundleError, match=r"not exactly one bundle \(it has classify, other\)"):
        layout.open()
    with pytest.raises(BundleError, match=r"no bundle of 'third' \(it has classify, other\)"):
        layout.open("third")


def test_entries_of_other_tools_survive(tmp_path: Path) -> None:
    """What another tool put into the index, with members that we do not know, stays as it was."""
    layout, _ = written(tmp_path)
    index = json.loads((layout.path / "index.json").read_text())
    foreign = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{'0' * 64}", "size": 2}
    index["manifests"].append(foreign | {"platform": {"os": "linux"}})
    (layout.path / "index.json").write_text(json.dumps(index))
    layout.write(config("other"), packed(tmp_path / "other"))
    kept = json.loads((layout.path / "index.json").read_text())["manifests"]
    assert foreign | {"platform": {"os": "linux"}} in kept
    assert len(kept) == 3


def damage_blob(layout: Layout, number: int, change: Callable[[bytes], bytes]) -> None:
    path = layout.open().blob_path(layout.open().blobs()[number].digest)
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("number", range(5))
def test_damaged_blobs(tmp_path: Path, number: int) -> None:
    """A byte changed in any blob is found, and writing the bundle again heals it."""
    layout, digest = written(tmp_path)
    damage_blob(layout, number, lambda data: data[:-1] + b"?")
    with pytest.raises(BundleError, match=r"is damaged: it is sha256"):
        layout.open(digest).verify()
    layout.write(config(), packed(tmp_path / "again"))
    layout.open(digest).verify()


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("truncated", [True, False])
def test_missing_and_truncated_blobs(tmp_path: Path, number: int, truncated: bool) -> None:
    """A blob that is cut off or not there is found when the bundle is opened, and named."""
    layout, digest = written(tmp_path)
    path = layout.open().blob_path(layout.open().blobs()[number].digest)
    path.write_bytes(path.read_bytes()[:-1]) if truncated else path.unlink()
    with pytest.raises(BundleError, match=path.name):
        layout.open(digest)
    layout.write(config(), packed(tmp_path / "again"))
    layout.open(digest).verify()


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("oci-layout", None, "not an OCI image layout"),
        ("oci-layout", '{"imageLayoutVersion":"2.0.0"}', "2.0.0, but this edgefn supports 1.x"),
        ("oci-layout", "{}", "imageLayoutVersion"),
        ("index.json", None, "cannot read"),
        ("index.json", "", "cannot read index.json"),
        ("index.json", '{"schemaVersion":1,"manifests":[]}', "version 1"),
        ("index.json", '{"schemaVersion":2,"mediaType":"x","manifests":[]}', "'x'"),
        ("index.json", '{"schemaVersion":2,"manifests":[{}]}', "cannot read index.json"),
        ("index.json", '{"schemaVersion":2,"manifests":[]}', "it has none"),
        ("index.json", " " * (4 * 2**20 + 1), "over the limit"),
    ],
)
def test_layouts_that_are_none(tmp_path: Path, name: str, content: str | None, match: str) -> None:
    """A layout whose own files are missing, damaged, too large or of another version is refused."""
    layout, _ = written(tmp_path)
    (layout.path / name).unlink()
    if content is not None:
        (layout.path / name).write_text(content)
    with pytest.raises(BundleError, match=match):
        layout.open()


def test_a_damaged_index_is_not_overwritten(tmp_path: Path) -> None:
    """A write does not throw away what it cannot read: it says to remove the layout."""
    layout, _ = written(tmp_path)
    (layout.path / "index.json").write_text("{")
    with pytest.raises(BuildError, match="remove it and build again"):
        layout.write(config(), packed(tmp_path / "again"))
    assert (layout.path / "index.json").read_text() == "{"


@pytest.mark.parametrize("digest", ["sha256:../../index.json", "sha256:", "sha256:" + "A" * 64])
def test_references_that_are_none(tmp_path: Path, digest: str) -> None:
    """A digest that is not one never becomes a path."""
    layout, _ = written(tmp_path)
    with pytest.raises(BundleError, match="hexadecimal"):
        layout.open(digest)


def test_no_layout(tmp_path: Path) -> None:
    """An empty or missing folder is no layout, and a file cannot become one."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BundleError, match="not an OCI image layout"):
            Layout(path).open()
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="choose another folder"):
        Layout(tmp_path / "file").write(config(), packed(tmp_path / "sources"))


def test_a_layer_that_changed_after_packing(tmp_path: Path) -> None:
    """A layer's file that is no longer what was packed does not get into the layout."""
    layers = packed(tmp_path / "sources")
    layers[1].path.write_bytes(b"other")
    with pytest.raises(BundleError, match="is damaged"):
        Layout(tmp_path / "layout").write(config(), layers)
    assert not (tmp_path / "layout" / "index.json").exists()
    assert not list((tmp_path / "layout").rglob(".partial-*"))


# Ends the process without cleaning up at the n-th rename or fsync, as a power cut would.
CUT = """
import os, sys
from pathlib import Path
from edgefn.bundle.oci.layout import Layout
from tests.edgefn.bundle.bundles import config, packed

layers = packed(Path(sys.argv[2]), code="x = 2\\n")
left = int(sys.argv[3])

def cut(real):
    def call(*arguments):
        global left
        left -= 1
        if left == 0:
            os._exit(99)
        return real(*arguments)
    return call

os.replace, os.fsync = cut(os.replace), cut(os.fsync)
Layout(Path(sys.argv[1])).write(config(), layers)
"""


def test_power_may_be_cut_at_any_rename_or_fsync(tmp_path: Path) -> None:
    """Wherever a write ends, the layout has the old bundle or the new one, whole, and the next write succeeds."""
    layout, old = written(tmp_path)
    new = Layout(tmp_path / "scratch").write(config(), packed(tmp_path / "new", code="x = 2\n"))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    cuts, finished = 0, False
    while not finished:
        cuts += 1
        copy = shutil.copytree(layout.path, tmp_path / f"copy{cuts}")
        command = [sys.executable, "-c", CUT, str(copy), str(tmp_path / f"sources{cuts}"), str(cuts)]
        status = subprocess.run(command, env=environment, timeout=60, check=False).returncode
        assert status in (0, 99)
        finished = status == 0
        bundle = Layout(copy).open()
        bundle.verify()
        assert bundle.manifest_digest in ((new,) if finished else (old, new))
        assert Layout(copy).write(config(), packed(tmp_path / f"retry{cuts}", code="x = 2\n")) == new
        assert not list(copy.rglob(".partial-*"))
    assert cuts > 8  # the code layer, the config, the manifest, the index: two fsyncs and a rename each


def test_two_writers_at_once(tmp_path: Path) -> None:
    """Builds that write into one layout at the same time all end up in its index."""
    program = (
        "import sys; from pathlib import Path; from edgefn.bundle.oci.layout import Layout\n"
        "from tests.edgefn.bundle.bundles import config, packed\n"
        "Layout(Path(sys.argv[1])).write(config(sys.argv[2]), packed(Path(sys.argv[3])))"
    )
    names = [f"function{number}" for number in range(4)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "layout"), name, str(tmp_path / name)], env=environment
        )
        for name in names
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * len(names)
    assert sorted(Layout(tmp_path / "layout").functions()) == names


def test_a_writer_that_is_killed_does_not_keep_the_lock(tmp_path: Path) -> None:
    """After kill -9 of a process that writes, the next writer goes on at once."""
    layout, digest = written(tmp_path)
    program = (
        "import sys, time; from pathlib import Path; from edgefn.system.durable import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(layout.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        holder.send_signal(signal.SIGKILL)
    started = time.monotonic()
    assert layout.write(config(), packed(tmp_path / "again")) == digest
    assert time.monotonic() - started < 30


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """/dev/full stands for a full disk: the error names the file, and what was there stays."""
    (tmp_path / "index.json").write_text("old")

    def chunks() -> Iterator[bytes]:
        yield b"new"
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(DiskFull, match=r"no space left on the disk to write .*index.json"):
        replace_file(tmp_path / "index.json", chunks())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_read_only_layout_opens(tmp_path: Path) -> None:
    """Reading writes nothing: a layout on a USB stick that is mounted read-only will do."""
    layout, digest = written(tmp_path)
    before = snapshot(layout.path)
    for path in [layout.path, *layout.path.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        layout.open(digest).verify()
    finally:
        for path in [layout.path, *layout.path.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert snapshot(layout.path) == before
