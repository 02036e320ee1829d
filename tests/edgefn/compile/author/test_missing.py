"""A module that this machine lacks: where it is to come from is told by where its name occurs."""

from __future__ import annotations

from pathlib import Path

from edgefn.compile.author.missing import advice


def test_where_it_is_to_come_from(tmp_path: Path) -> None:
    """A requirement's wheel, a folder above the function's, a distribution by its own name, or one nobody knows."""
    folder, wheels = tmp_path / "project" / "functions" / "talk", tmp_path / "wheels"
    folder.mkdir(parents=True)
    (wheels / "nowhere_one").mkdir(parents=True)
    (wheels / "nowhere_two.cpython-311-x86_64-linux-gnu.so").touch()
    (tmp_path / "project" / "nowhere_three.py").touch()
    for name in ("nowhere_one", "nowhere_one.part", "nowhere_two"):
        assert advice(name, folder, wheels).endswith(f"pip install -r {folder}/requirements.txt")
    assert "packages under [project] in edgefn.toml" in advice("nowhere_three", folder, wheels)
    assert advice("serial.tools", folder, None) == "install pyserial here, and add it to requirements.txt"
    assert "pip install" not in advice("nowhere_four", folder, None)
    assert "requirements.txt" in advice("nowhere_four", folder, None)


def test_a_part_that_a_package_lacks_is_a_slip(tmp_path: Path) -> None:
    """There is nothing to install."""
    assert advice("json.nothing_of_that_name", tmp_path, None) == ""
