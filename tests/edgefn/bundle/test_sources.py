"""What of a function's folder goes into the code layer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgefn.bundle.sources import code_files, tree_files
from edgefn.errors import SpecError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_what_only_people_need_stays_behind(tmp_path: Path) -> None:
    """Samples, tests, the README, requirements, dotfiles and caches are left out; all else goes, sorted."""
    fill(tmp_path, "f.py", "labels.txt", "data/samples/kept.bin", "data/README.md", "pkg/__init__.py")
    fill(tmp_path, "samples/cat.jpg", "test_f.py", "README.md", "requirements.txt", ".env", ".git/HEAD")
    fill(tmp_path, "__pycache__/f.pyc", "pkg/__pycache__/x.pyc", "pkg/test_x.py", "data/.DS_Store", "old.pyc")
    names = [name for name, _ in code_files(tmp_path)]
    assert names == ["data/README.md", "data/samples/kept.bin", "f.py", "labels.txt", "pkg/__init__.py"]


def test_links_within_the_folder_are_resolved(tmp_path: Path) -> None:
    """A link to a file or a folder inside stands for its content."""
    fill(tmp_path, "data/v2/labels.txt")
    (tmp_path / "labels.txt").symlink_to("data/v2/labels.txt")
    (tmp_path / "current").symlink_to("data/v2")
    files = dict(tree_files(tmp_path))
    assert {name: path.read_text() for name, path in files.items()} == dict.fromkeys(
        ["current/labels.txt", "data/v2/labels.txt", "labels.txt"], "data/v2/labels.txt"
    )


def test_a_folder_reached_by_a_link(tmp_path: Path) -> None:
    """The function's folder itself may be a link."""
    fill(tmp_path / "real", "f.py")
    (tmp_path / "link").symlink_to("real")
    assert [name for name, _ in code_files(tmp_path / "link")] == ["f.py"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.txt", "..", "missing", "self"])
def test_links_that_leave_are_refused(tmp_path: Path, target: str) -> None:
    """A link out of the folder, to nowhere or to itself is an error that names it."""
    fill(tmp_path, "outside.txt", "f/f.py")
    (tmp_path / "f" / "self").symlink_to(target)
    with pytest.raises(SpecError, match=r"self is a (link out of|broken or circular link)"):
        code_files(tmp_path / "f")


def test_links_in_circles_are_refused(tmp_path: Path) -> None:
    """A link to a folder above itself would never end."""
    fill(tmp_path, "a/b/f.py")
    (tmp_path / "a" / "b" / "again").symlink_to("..")
    with pytest.raises(SpecError, match="a folder that it lies in"):
        code_files(tmp_path)


def test_links_of_what_stays_behind_do_not_matter(tmp_path: Path) -> None:
    """samples/ may link to a data set elsewhere: it does not go into the bundle."""
    fill(tmp_path, "outside/cat.jpg", "f/f.py")
    (tmp_path / "f" / "samples").symlink_to("../outside")
    assert [name for name, _ in code_files(tmp_path / "f")] == ["f.py"]


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    """A fifo in the folder is an error, not a wait."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="neither a file nor a folder"):
        code_files(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    """A path that is no folder is an error."""
    with pytest.raises(SpecError, match="is not a folder"):
        code_files(tmp_path / "missing")
