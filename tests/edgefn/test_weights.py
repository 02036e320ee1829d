"""Which files `weights=` names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefn.errors import BuildError
from edgefn.weights import check_weights, read_weights, weight_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A function's folder with checkpoints in and around it."""
    for name in ("talk/net.pth", "talk/.best.pth", "runs/a.pth", "runs/b.pth", "runs/deep/.c.bin", "odd/[1].pth"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs" / "last.pth").symlink_to("a.pth")
    return tmp_path / "talk"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("net.pth", ["talk/net.pth"]),
        (".best.pth", ["talk/.best.pth"]),
        ("../runs/a.pth", ["runs/a.pth"]),
        ("../runs/*.pth", ["runs/a.pth", "runs/b.pth", "runs/last.pth"]),
        ("../runs", ["runs/a.pth", "runs/b.pth", "runs/deep/.c.bin", "runs/last.pth"]),
        ("../runs/**/*.bin", ["runs/deep/.c.bin"]),
        ("../odd/[1].pth", ["odd/[1].pth"]),
        ("~/runs/a.pth", ["runs/a.pth"]),
    ],
)
def test_a_pattern_names_files(folder: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, names: list[str]) -> None:
    """Relative to the folder, below "~" or absolute; hidden ones too; a folder stands for all in it."""
    monkeypatch.setenv("HOME", str(folder.parent))
    assert weight_files(read_weights(pattern, ""), folder) == [folder.parent / name for name in names]
    if not pattern.startswith("~"):
        whole = folder / pattern
        assert weight_files(read_weights(whole, ""), Path("/")) == [folder.parent / name for name in names]


def test_several_name_each_file_once(folder: Path) -> None:
    """Whatever their order; paths and strings alike."""
    patterns = read_weights(["../runs/*.pth", Path("../runs/a.pth")], "")
    assert len(weight_files(patterns, folder)) == 3
    assert read_weights(None, "") == ()


@pytest.mark.parametrize("pattern", ["../runs/c.pth", "../runs/*.onnx", "../empty"])
def test_what_names_no_file_is_an_error_with_the_place(folder: Path, pattern: str) -> None:
    """A pattern without a match and an empty folder are as wrong as a file that is not there."""
    (folder.parent / "empty").mkdir()
    with pytest.raises(BuildError, match=r"model net: weights='\.\./.* names no file: there is no /.*which begins at "):
        check_weights("net", [pattern], folder)
