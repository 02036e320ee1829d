"""What the files of a folder were, compared with what they are."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgefn_runtime.store import record
from edgefn_runtime.store.disk import OsDisk


def _made(folder: Path) -> dict[str, record.Stamp]:
    (folder / "code").mkdir()
    for name in ("code/a.py", "code/b.py", "c"):
        (folder / name).write_text(name)
    record.write(OsDisk(), folder, record.taken(folder))
    kept = record.read(folder)
    assert kept is not None
    assert set(kept) == {"code/a.py", "code/b.py", "c"}
    return kept


def _same_size_and_times(folder: Path) -> None:
    before = os.stat(folder / "c")
    (folder / "c").write_text("d")
    os.utime(folder / "c", ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(folder: Path) -> None:
    (folder / "new").write_text("x")
    (folder / "new").rename(folder / "c")


def _link(folder: Path) -> None:
    (folder / "c").unlink()
    (folder / "c").symlink_to(folder / "code" / "a.py")


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "longer": (lambda folder: (folder / "c").write_text("longer"), ["c"]),
    "the same size and times": (_same_size_and_times, ["c"]),
    "another file": (_replaced, ["c"]),
    "gone": (lambda folder: (folder / "code" / "a.py").unlink(), ["code/a.py"]),
    "one more": (lambda folder: (folder / "code" / "numpy.py").write_text("import os"), ["code/numpy.py"]),
    "a link": (_link, ["c"]),
    "a link to a folder": (lambda folder: (folder / "more").symlink_to("/etc"), ["more"]),
}


@pytest.mark.parametrize(("change", "names"), CHANGES.values(), ids=CHANGES)
def test_each_difference_is_found(tmp_path: Path, change: Callable[[Path], object], names: list[str]) -> None:
    """Other bytes, also with size and times set back; a file more, a file less, a link in its place."""
    kept = _made(tmp_path)
    assert record.compare(tmp_path, kept) == record.FolderChanges([], {})
    change(tmp_path)
    assert record.compare(tmp_path, kept).differing == names


def test_the_same_bytes_elsewhere_are_no_difference(tmp_path: Path) -> None:
    """A restored home has other inodes and times: its files are read once, and recorded anew."""
    kept = _made(tmp_path)
    (tmp_path / "new").write_text("c")
    (tmp_path / "new").rename(tmp_path / "c")
    found = record.compare(tmp_path, kept)
    assert found.differing == []
    assert record.compare(tmp_path, found.fresh) == record.FolderChanges([], {})


def test_what_is_as_it_was_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start looks at sizes, inodes and times alone; thoroughly, each file is read."""
    kept = _made(tmp_path)
    read: list[Path] = []

    def noted(path: Path) -> str:
        read.append(path)
        return "another"

    monkeypatch.setattr(record, "sha256_of", noted)
    assert record.compare(tmp_path, kept).differing == []
    assert not read
    found = record.compare(tmp_path, kept, thorough=True, within=lambda name: name.startswith("code/"))
    assert found.differing == ["code/a.py", "code/b.py"]
    assert len(read) == 2


def test_a_record_that_does_not_read_is_none(tmp_path: Path) -> None:
    """Missing or damaged."""
    assert record.read(tmp_path) is None
    (tmp_path / record.FILE).write_bytes(b"\xff{")
    assert record.read(tmp_path) is None


def test_a_record_that_is_written_meanwhile_is_no_difference(tmp_path: Path) -> None:
    """A start writes it anew while a request's own start compares: the folder is as it was, each time."""
    known = _made(tmp_path)
    over = threading.Event()

    def rewrite() -> None:
        while not over.is_set():
            record.write(OsDisk(), tmp_path, known)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert not record.compare(tmp_path, known, thorough=True).differing
    finally:
        over.set()
        writer.join()
