"""Closures: what a change to a source file does to the key of a model's builder."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from edgefn.compile.author.closure import closure_of, follow

SOURCE = '''
"""A function."""
import numpy as np
from torch import nn, optim
import network
from edgefn import edge_function, edge_model

WIDTH = 4
SIZES = {"hidden": WIDTH}
GREETING = "hello"

def layers():
    return nn.Linear(SIZES["hidden"], network.DEPTH)

@edge_model(inputs={}, samples="samples/*.json")
def model():
    return layers()

@edge_function
def handler(text: str) -> str:
    return GREETING + text
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fn.py").write_text(SOURCE)
    (tmp_path / "network.py").write_text("import deeper\nDEPTH = 2\n")
    (tmp_path / "deeper.py").write_text("import msgspec\n")
    return tmp_path


def digest(folder: Path, name: str = "model") -> str:
    return closure_of(folder / "fn.py", name, folder).digest()


def edited(folder: Path, old: str, new: str, file: str = "fn.py") -> Path:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GREETING + text", "text + GREETING"),
        ('"hello"', '"good morning"'),
        ("@edge_function\n", '@edge_function(memory="1GiB")\n'),
        ('"""A function."""', '"""Another."""'),
        ("WIDTH = 4", "WIDTH = 4  # as in the paper"),
        ("import edge_function, edge_model", "import Image, edge_function, edge_model"),
        ("import numpy as np", "import numpy as np\nimport json"),
    ],
    ids=["handler", "its constant", "its options", "docstring", "comment", "a name imported", "a module imported"],
)
def test_what_the_builder_does_not_use_leaves_its_closure(folder: Path, old: str, new: str) -> None:
    """A change to the handler does not build the model again."""
    assert digest(folder) == digest(edited(folder, old, new))


@pytest.mark.parametrize(
    ("old", "new", "file"),
    [
        ("return layers()", "return layers().half()", "fn.py"),
        ("nn.Linear(", "nn.Bilinear(", "fn.py"),
        ("WIDTH = 4", "WIDTH = 8", "fn.py"),
        ('"samples/*.json"', '"samples/*.npz"', "fn.py"),
        ("WIDTH = 4", "WIDTH = 4\nSIZES['hidden'] = 5", "fn.py"),
        ("WIDTH = 4", "WIDTH = 4\nif True:\n    WIDTH = 5", "fn.py"),
        ("WIDTH = 4", "WIDTH = 4\nnn.init.seed(3)", "fn.py"),
        ("DEPTH = 2", "DEPTH = 3", "network.py"),
        ("import msgspec", "import msgspec\nX = 1", "deeper.py"),
    ],
    ids=["itself", "callee", "constant", "options", "changed item", "branch", "call", "own module", "its import"],
)
def test_what_the_builder_uses_changes_its_closure(folder: Path, old: str, new: str, file: str) -> None:
    """Whatever the builder reaches, at any remove, builds the model again."""
    before = digest(folder)
    assert digest(edited(folder, old, new, file)) != before


@pytest.mark.parametrize("clever", ["exec('')", "globals()", "from network import *\n    return nn"])
def test_too_clever_a_builder_depends_on_the_whole_module(folder: Path, clever: str) -> None:
    """Where names cannot be followed, any change counts."""
    if "import *" in clever:
        edited(folder, "WIDTH = 4", "WIDTH = 4\nfrom network import *")
    else:
        edited(folder, "return layers()", f"{clever}\n    return layers()")
    assert digest(folder) != digest(edited(folder, '"hello"', '"good morning"'))


def test_a_name_that_is_not_found_depends_on_the_whole_module(folder: Path) -> None:
    """A builder made in a way that the tree does not show gets the module as its closure."""
    assert digest(folder, "made") != digest(edited(folder, '"hello"', '"good morning"'), "made")


def test_packages_of_others_are_named_not_read(folder: Path) -> None:
    """Installed distributions count by version, the standard library and edgefn by theirs."""
    assert closure_of(folder / "fn.py", "model", folder).packages == {"torch", "msgspec"}
    assert follow([folder / "fn.py"], folder).packages == {"torch", "msgspec", "numpy"}


def test_a_module_that_does_not_parse_counts_by_its_text(folder: Path) -> None:
    """Hashing never fails on the user's source; importing it says what is wrong."""
    (folder / "deeper.py").write_text("def (")
    before = digest(folder)
    (folder / "deeper.py").write_text("def [")
    assert digest(folder) != before


def test_the_modules_that_were_looked_at_are_known(folder: Path) -> None:
    """A builder may read those, as Python's import does, and no other module of the folder."""
    (folder / "other.py").write_text("")
    found = closure_of(folder / "fn.py", "model", folder)
    assert found.files == {folder / "fn.py", folder / "network.py", folder / "deeper.py"}


def test_an_editable_install_that_is_on_no_path_is_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its finder stands on sys.meta_path; a change there is a change of the closure."""
    away = folder / "away"
    away.mkdir()
    (away / "deeper_still.py").write_text("WIDTH = 1")
    (folder / "network.py").write_text("import deeper_still\nDEPTH = 2\n")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object, target: object = None) -> ModuleSpec | None:
            found = away / f"{name}.py"
            return spec_from_file_location(name, found) if found.exists() else None

    monkeypatch.setattr("sys.meta_path", [*sys.meta_path, Finder])
    before = closure_of(folder / "fn.py", "model", folder)
    assert away / "deeper_still.py" in before.files
    (away / "deeper_still.py").write_text("WIDTH = 2")
    assert closure_of(folder / "fn.py", "model", folder).digest() != before.digest()


@pytest.mark.parametrize(
    "read",
    [
        'os.environ["WIDTH"]',
        'os.environ.get("WIDTH", 4)',
        'os.getenv("WIDTH")',
        '"WIDTH" in os.environ',
        'getenv("WIDTH")',
    ],
)
@pytest.mark.parametrize("file", ["fn.py", "network.py"])
def test_an_environment_variable_is_part_of_what_reads_it(
    folder: Path, read: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A builder that reads one returns another network where it is another; one that reads none does not."""
    monkeypatch.delenv("WIDTH", raising=False)
    plain = digest(folder)
    old = "WIDTH = 4" if file == "fn.py" else "DEPTH = 2"
    edited(folder, old, f"{old.partition(' ')[0]} = int({read} or 4)", file)
    unset = digest(folder)
    monkeypatch.setenv("WIDTH", "8")
    assert digest(folder) != unset != plain
    monkeypatch.setenv("HEIGHT", "8")
    wide = digest(folder)
    monkeypatch.setenv("HEIGHT", "9")
    assert digest(folder) == wide
    assert follow([folder / "fn.py"], folder).variables == {"WIDTH"}


def test_what_a_decorator_registers_is_part_of_what_looks_it_up(folder: Path) -> None:
    """By a name that no syntax tree shows; what is only cached or wrapped is used by its own name."""
    registry = "\nNETS = {}\ndef register(f):\n    NETS[f.__name__] = f\n    return f\n"
    small = "\n@register\ndef small():\n    return KIND\nKIND = 1\n"
    more = registry + small + "\n@functools.cache\ndef shown():\n    return LINE\nLINE = 1\n"
    (folder / "fn.py").write_text(SOURCE.replace("return layers()", 'return NETS["small"]()') + more)
    before = digest(folder)
    assert digest(edited(folder, "LINE = 1", "LINE = 2")) == before
    assert digest(edited(folder, "KIND = 1", "KIND = 2")) != before
