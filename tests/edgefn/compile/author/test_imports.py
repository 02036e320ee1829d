"""What a function's own code may import where a box runs it too."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.compile.author import shared_code
from edgefn.compile.author.imports import ImportGuard, NotOnBox
from edgefn.compile.cache.sources import Sources
from edgefn.compile.cache.wheelhouse import Wheels

WAYS = {
    "plain": "import {name}",
    "as": "import {name} as other",
    "a submodule": "import {name}.inner",
    "a member": "from {name} import inner",
    "importlib": "import importlib\nimportlib.import_module('{name}')",
    "imported importlib": "from importlib import import_module\nimport_module('{name}.inner')",
    "a builtin": "__import__('{name}')",
    "in a function": "def load():\n    import {name}\nload()",
    "in a class": "class Holder:\n    import {name}",
}


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportGuard]:
    """A guard of the folder `talk`, which is first on sys.path, in a project of two shared packages; nothing stays."""
    monkeypatch.setattr(builtins, "__import__", builtins.__import__)
    monkeypatch.setattr(importlib, "import_module", importlib.import_module)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    folder = tmp_path / "talk"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    packages = {name: tmp_path / "project" / name for name in ("common", "unused")}
    for place in packages.values():
        place.mkdir(parents=True)
        (place / "__init__.py").touch()
    (folder / "uses.py").write_text("def never():\n    import common")
    guard = ImportGuard(Sources(folder, packages), lambda: Wheels(folder=tmp_path / "wheels"))
    shared_code.offer(packages)
    (tmp_path / "wheels" / "in_a_wheel").mkdir(parents=True)
    guard.install()
    guard.boxed = True
    yield guard
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(guard: ImportGuard, source: str, name: str = "talk.py", folder: Path | None = None) -> None:
    """Run `source` as a module of the function's folder, or of another one."""
    path = (folder or guard._sources.folder) / name
    path.write_text(source)
    exec(compile(source, str(path), "exec"), {"__name__": path.stem, "__file__": str(path)})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["torch", "pytest"], ids=["not imported yet", "imported by something else"])
def test_what_no_box_has_is_refused_however_it_is_imported(guard: ImportGuard, way: str, name: str) -> None:
    """Also when it is in sys.modules already; as a ModuleNotFoundError with the module's name."""
    with pytest.raises(NotOnBox) as caught:
        run(guard, WAYS[way].format(name=name))
    assert caught.value.name == name
    assert isinstance(caught.value, ModuleNotFoundError)
    assert str(caught.value).startswith("talk.py, line ")


@pytest.mark.parametrize("name", ["numpy", "json", "msgspec", "PIL", "edgefn", "onnxruntime", "starlette", "packaging"])
def test_what_every_box_has_is_imported(guard: ImportGuard, name: str) -> None:
    """The standard library, edgefn, and what a box's own program needs."""
    run(guard, f"import {name}")
    assert guard.refused is None


def test_the_functions_own_modules_and_wheels_are_imported(guard: ImportGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of requirements.txt by the names in their wheels; a data file of a module's name is no module."""
    (guard._sources.folder / "words.py").write_text("WORDS = 3")
    run(guard, "import words; assert words.WORDS == 3")
    (guard._sources.folder / "torch.txt").write_text("weights")
    with pytest.raises(NotOnBox, match="torch"):
        run(guard, "import torch")
    with pytest.raises(ModuleNotFoundError, match="in_a_wheel") as missing:  # it is not installed here
        run(guard, "import in_a_wheel")
    assert not isinstance(missing.value, NotOnBox)


def test_a_module_that_is_nowhere_is_missed_by_python(guard: ImportGuard) -> None:
    """As ever: there is nothing to say about a box."""
    with pytest.raises(ModuleNotFoundError) as caught:
        run(guard, "import nothing_of_that_name")
    assert not isinstance(caught.value, NotOnBox)


def test_the_message_says_what_to_write_instead(guard: ImportGuard) -> None:
    """torch never goes to a box, nor what needs it; another package may, by requirements.txt."""
    with pytest.raises(NotOnBox, match=r"talk.py, line 2, imports torch, which never goes to a box: .*NumPy"):
        run(guard, "\nimport torch")
    with pytest.raises(
        NotOnBox,
        match=r"imports pytest, which is not on a box: let the builder .*, or add pytest to requirements.txt, or ",
    ):
        run(guard, "import pytest")


def test_a_helper_that_imports_it_is_found_out(guard: ImportGuard) -> None:
    """Whether the handler imports it first, or a builder has done so before, through another module even."""
    (guard._sources.folder / "helper.py").write_text("import torch")
    with pytest.raises(NotOnBox, match=r"helper.py, line 1, imports torch"):
        run(guard, "def handler():\n    import helper\nhandler()")

    (guard._sources.folder / "outer.py").write_text("import inner_one")
    (guard._sources.folder / "inner_one.py").write_text("import pytest")
    guard.boxed = False
    run(guard, "import outer")
    guard.boxed = True
    with pytest.raises(NotOnBox, match=r"talk.py, line 1, imports inner_one, which imports pytest"):
        run(guard, "from outer import inner_one")


def test_the_users_way_without_it_is_taken_as_on_a_box(guard: ImportGuard) -> None:
    """`try: import torch` goes on without; what was missed is kept for the message of a builder that wanted it."""
    run(guard, "try:\n    import torch\nexcept ImportError:\n    torch = None\nassert torch is None")
    assert guard.refused is not None
    assert guard.refused.name == "torch"


def test_libraries_and_builders_import_what_they_like(guard: ImportGuard, tmp_path: Path) -> None:
    """A library's own import is its own; with the turn at a builder, the function's too."""
    (tmp_path / "elsewhere").mkdir()
    source = "import pytest"
    exec(compile(source, str(tmp_path / "elsewhere" / "library.py"), "exec"), {"__name__": "library"})
    guard.boxed = False
    run(guard, "import pytest")
    assert guard.refused is None


def test_what_lies_elsewhere_is_not_on_a_box(
    guard: ImportGuard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that the working directory or PYTHONPATH has: the build names its file, and where it could be."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "helpers_of_mine.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "elsewhere")])
    with pytest.raises(NotOnBox) as caught:
        run(guard, "def handler():\n    import helpers_of_mine\nhandler()")
    assert str(caught.value) == (
        f"talk.py, line 2, imports helpers_of_mine, which is not on a box: {tmp_path}/elsewhere/helpers_of_mine.py is "
        "outside of talk/: move it to talk/, or share it as a package of the project (packages under [project] in "
        "edgefn.toml)"
    )
    guard.boxed = False
    run(guard, "import helpers_of_mine")


def test_the_line_to_add_names_the_distribution(guard: ImportGuard) -> None:
    """Not the module: what is imported as `xdist` is installed as pytest-xdist, and of a namespace each has a part."""
    with pytest.raises(
        NotOnBox, match=r"imports xdist, which is not on a box: .*add pytest-xdist to requirements\.txt"
    ):
        run(guard, "import xdist")


def test_what_a_bundle_leaves_out_is_not_on_a_box(guard: ImportGuard) -> None:
    """Modules in samples/ and test_*.py are here and go nowhere, at the top or within a package, shared or own."""
    folder, shared = guard._sources.folder, guard._sources.packages["common"]
    for place in (folder, shared, folder / "inner"):
        place.mkdir(exist_ok=True)
        (place / "test_tools.py").touch()
    (folder / "inner" / "__init__.py").touch()
    (folder / "samples").mkdir()
    (folder / "samples" / "made.py").touch()
    for source, module in (
        ("import test_tools", "test_tools"),
        ("from inner import test_tools", r"inner\.test_tools"),
        ("from common.test_tools import made", r"common\.test_tools"),
        ("from samples import made", "samples"),
    ):
        with pytest.raises(NotOnBox, match=rf"imports {module}, which a bundle leaves out .*rename or move it"):
            run(guard, source)


def test_shared_packages_are_on_a_box_that_the_function_imports(guard: ImportGuard, tmp_path: Path) -> None:
    """A build finds imports by reading; one that it cannot see is missing on the box. Shared code is watched, too."""
    run(guard, "import common, sys; assert sys.modules['common'].__file__")
    with pytest.raises(NotOnBox, match=r"imports unused, which the bundle lacks, .*write `import unused`"):
        run(guard, "import importlib\nimportlib.import_module('un' + 'used')")
    with pytest.raises(NotOnBox, match=r"^common/inner\.py, line 1, imports torch, which never goes to a box"):
        run(guard, "import torch", "inner.py", guard._sources.packages["common"])
