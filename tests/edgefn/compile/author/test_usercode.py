"""A function as its folder gives it to a build: what is refused before anything is built."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgefn.compile.author.usercode import import_function
from edgefn.errors import SpecError

SOURCE = "from edgefn import edge_function\n\n@edge_function{options}\ndef {name}(n: int) -> int:\n    return n\n"


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave sys.path and sys.modules as they were."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())


@pytest.mark.parametrize(("options", "name"), [("", "other"), ('(name="other")', "named_one")])
def test_a_function_is_called_as_its_folder(tmp_path: Path, options: str, name: str) -> None:
    """By its def or by name=: else `deploy --no-build FOLDER` would look for another function's bundle."""
    (tmp_path / "named_one").mkdir()
    (tmp_path / "named_one" / "named_one.py").write_text(SOURCE.format(options=options, name=name))
    with pytest.raises(SpecError, match=r"named_one\.py holds the function 'other', and its folder is 'named_one'"):
        import_function(tmp_path / "named_one")


def test_a_name_of_its_own_is_given_by_name(tmp_path: Path) -> None:
    """A def may be called anything where name= has the folder's."""
    (tmp_path / "named_three").mkdir()
    source = SOURCE.format(options='(name="named_three")', name="predict")
    (tmp_path / "named_three" / "named_three.py").write_text(source)
    assert import_function(tmp_path / "named_three").spec.entry == "named_three:predict"
