"""Layers are packed the same everywhere, and come out as they went in."""

from __future__ import annotations

import hashlib
import os
import random
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.bundle.archive import pack, unpack
from edgefn.bundle.members import check_name
from edgefn.errors import BuildError, BundleError

PARTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=60
).filter(lambda part: part not in (".", "..") and len(part.encode()) <= 200)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_folder_is_a_file(names: dict[str, bytes]) -> bool:
    return not any(other.startswith(f"{name}/") for name in names for other in names)


@settings(deadline=None, max_examples=60)
@given(files=st.dictionaries(NAMES, st.binary(max_size=2000), max_size=8).filter(no_folder_is_a_file))
def test_round_trip(files: dict[str, bytes]) -> None:
    """What is packed comes out of unpack: the same names, of any script and length, with the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        tar, out = Path(scratch, "layer.tar"), Path(scratch, "out")
        digest, size = pack(files.items(), tar)
        assert size == tar.stat().st_size
        assert digest == f"sha256:{hashlib.sha256(tar.read_bytes()).hexdigest()}"
        unpack(tar, out, limit_bytes=size)
        assert contents(out) == files


@settings(deadline=None, max_examples=30)
@given(files=st.dictionaries(NAMES, st.binary(max_size=100), max_size=8), seed=st.integers())
def test_order_does_not_matter(files: dict[str, bytes], seed: int) -> None:
    """The same files in any order give the same archive."""
    shuffled = list(files.items())
    random.Random(seed).shuffle(shuffled)
    with tempfile.TemporaryDirectory() as scratch:
        assert pack(files.items(), Path(scratch, "a")) == pack(shuffled, Path(scratch, "b"))


def test_times_owners_and_umask_do_not_matter(tmp_path: Path) -> None:
    """Only names, contents and the owner's executable bit reach the archive."""
    digests = set()
    for number, umask in enumerate((0o022, 0o077, 0o002)):
        previous = os.umask(umask)
        try:
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "run.sh").write_text("#!/bin/sh\n")
            (folder / "run.sh").chmod(0o777 & ~umask)
            os.utime(folder / "run.sh", (number, number * 10**9))
            digests.add(pack([("run.sh", folder / "run.sh"), ("data", b"1")], folder / "tar"))
        finally:
            os.umask(previous)
    assert len(digests) == 1


def test_digest_is_pinned(tmp_path: Path) -> None:
    """The format itself does not drift: these files have had this digest since the first release."""
    files = {"code/a.py": b"x = 1\n", "code/data/labels.txt": b"cat\ndog\n", "code/" + "long/" * 30 + "ä.txt": b""}
    digest, size = pack(files.items(), tmp_path / "tar")
    assert (digest, size) == ("sha256:58462da42b1ecc92443ce4762e5e40f1ea2bb61ee08687bf955baf0b7ea72415", 10240)


def test_the_archive_is_a_plain_tar(tmp_path: Path) -> None:
    """Any tar reads what pack writes; nothing in it says when, where or by whom it was made."""
    pack([("b.txt", b"b"), ("a/" + "x" * 120, b"a")], tmp_path / "tar")
    with tarfile.open(tmp_path / "tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["a/" + "x" * 120, "b.txt"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


def test_modes_are_0644_and_0755_whatever_the_umask(tmp_path: Path) -> None:
    """Unpacked files are readable by all and writable by their owner; only the executable bit is kept."""
    script = tmp_path / "script"
    script.write_text("")
    script.chmod(0o4755)
    _, size = pack([("a/script", script), ("a/data", b"")], tmp_path / "tar")
    previous = os.umask(0o077)
    try:
        unpack(tmp_path / "tar", tmp_path / "out", limit_bytes=size)
    finally:
        os.umask(previous)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (tmp_path / "out").rglob("*")}
    assert modes == {"a": 0o755, "script": 0o755, "data": 0o644}


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "a/../b", "a//b", "", "a\\b", "a\nb", "a/", "x" * 300, "\udcff"]
)
def test_names_that_are_not_portable_are_not_packed(tmp_path: Path, name: str) -> None:
    """A name that unpack would refuse is refused at the build, with the advice to rename it."""
    with pytest.raises(BuildError, match="rename it"):
        pack([(name, b"")], tmp_path / "tar")
    with pytest.raises(BundleError):
        check_name(name)


def test_what_cannot_be_packed_is_named(tmp_path: Path) -> None:
    """A missing file, a folder, a fifo (which would block) and a name given twice are build errors."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, tmp_path / "missing"):
        with pytest.raises(BuildError, match=path.name):
            pack([("x", path)], tmp_path.parent / "tar")
    with pytest.raises(BuildError, match="twice"):
        pack([("x", b"1"), ("x", b"2")], tmp_path / "tar")
