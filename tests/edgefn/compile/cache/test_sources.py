"""What a build depends on: shared packages count for the functions that import them, and for no others."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.bundle import layers
from edgefn.compile.author.usercode import import_function
from edgefn.compile.cache.sources import Sources
from edgefn.errors import SpecError
from edgefn.model import models_of

NAMES = ("alpha_kit", "beta_kit", "gamma_kit")
WAYS = (
    "import {name}",
    "from {name}.part import VALUE",
    "def later():\n    import {name}.part as other",
    "import importlib\npart = importlib.import_module('{name}.part')",
    "if False:\n    __import__('{name}')",
)


def package(root: Path, name: str, source: str = "") -> Path:
    """Make a shared package with a module, a data file, a sub-package, and files that stay behind."""
    place = root / name
    (place / "deep").mkdir(parents=True)
    (place / "__init__.py").write_text(source)
    (place / "part.py").write_text("VALUE = 1\n")
    (place / "deep" / "__init__.py").write_text("")
    (place / "words.txt").write_text("one\n")
    for left in (
        "test_part.py",
        ".hidden",
        "README.md",
        "requirements.txt",
        "samples/one.json",
        "__pycache__/part.pyc",
    ):
        (place / left).parent.mkdir(exist_ok=True)
        (place / left).write_text("left behind")
    return place


def function(root: Path, source: str, name: str = "talk") -> Path:
    """Make a function's folder with the module `source`."""
    folder = root / "functions" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    return folder


def digest(folder: Path, packages: Mapping[str, Path]) -> str:
    """Return the digest of the function's code layer."""
    with TemporaryDirectory() as scratch:
        sources = Sources(folder, packages)
        return layers.code(folder, Path(scratch) / "code.tar", (), sources.shared).descriptor.digest


MODEL = """
from edgefn import edge_function, edge_model, tensor

@edge_model(inputs={"x": tensor("float32", 4)}, samples="samples/*.json")
def net():
    return None

@edge_function
def talk_of_requirements(n: int) -> int:
    return n
"""
GRAPHS = st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES)) for name in ("talk", *NAMES)})


@settings(max_examples=10)
@given(
    graph=GRAPHS, ways=st.lists(st.sampled_from(WAYS), min_size=1), changed=st.sampled_from(NAMES), data=st.booleans()
)
def test_a_package_counts_for_what_reaches_it(
    graph: dict[str, set[str]], ways: list[str], changed: str, data: bool
) -> None:
    """However it is imported, through others even: it is in the layer, and a change of any of its files in the key."""

    def source(importer: str) -> str:
        imports = enumerate(sorted(graph[importer]))
        return "\n".join(ways[number % len(ways)].format(name=name) for number, name in imports)

    reached: set[str] = set()
    waiting = set(graph["talk"])
    while waiting:
        reached.add(one := waiting.pop())
        waiting |= graph[one] - reached
    with TemporaryDirectory() as place:
        root = Path(place).resolve()
        packages = {name: package(root, name, source(name)) for name in NAMES}
        folder = function(root, source("talk"))
        sources = Sources(folder, packages)
        assert set(sources.shared) == reached
        held = {name for name, _ in sources.code_files()}
        parts = ("__init__.py", "part.py", "deep/__init__.py", "words.txt")
        assert held == {"talk.py", *(f"{name}/{part}" for name in reached for part in parts)}
        before = sources.whole_key(), digest(folder, packages)
        (packages[changed] / ("words.txt" if data else "part.py")).write_text("VALUE = 2\n")
        after = Sources(folder, packages).whole_key(), digest(folder, packages)
        assert (before[0] != after[0], before[1] != after[1]) == (changed in reached, changed in reached)


def test_what_does_not_import_it_is_as_it_was(tmp_path: Path) -> None:
    """A function without shared packages keeps key and digest, whatever the project shares."""
    folder = function(tmp_path, "import json\nimport numpy\n")
    packages = {"common": package(tmp_path, "common")}
    assert Sources(folder, packages).whole_key() == Sources(folder).whole_key()
    assert digest(folder, packages) == digest(folder, {})


def test_same_sources_same_digest(tmp_path: Path) -> None:
    """In another folder, and with other times and files that stay behind."""
    for name in ("one", "two"):
        function(tmp_path / name, "import common")
        package(tmp_path / name, "common")
    (tmp_path / "two" / "common" / "test_more.py").write_text("")
    one, two = (
        digest(tmp_path / name / "functions" / "talk", {"common": tmp_path / name / "common"})
        for name in ("one", "two")
    )
    assert one == two


def test_a_name_means_one_thing(tmp_path: Path) -> None:
    """A module of the folder, or an installed package, of a shared package's name: the build says which to rename."""
    folder = function(tmp_path, "import common")
    packages = {"common": package(tmp_path, "common")}
    (folder / "common.py").write_text("")
    with pytest.raises(SpecError, match=r"talk/common\.py has the name of the shared package common"):
        Sources(folder, packages).code_files()
    (folder / "common.py").unlink()
    (folder / "common.txt").write_text("words")  # which no import finds
    assert "common.txt" in {name for name, _ in Sources(folder, packages).code_files()}

    folder = function(tmp_path, "import pytest")
    packages = {"pytest": package(tmp_path, "pytest")}
    with pytest.raises(
        SpecError, match=r"shared package pytest in .* has the name of a package that pytest-.* installed"
    ):
        Sources(folder, packages).code_files()


def test_a_wheel_is_not_hidden(tmp_path: Path) -> None:
    """On a box the function's code comes first, so a shared package would hide one of requirements.txt."""
    sources = Sources(function(tmp_path, "import common"), {"common": package(tmp_path, "common")})
    (tmp_path / "wheels" / "common").mkdir(parents=True)
    with pytest.raises(SpecError, match=r"would hide the package common that requirements\.txt brings"):
        sources.check_wheels(tmp_path / "wheels")
    sources.check_wheels(None)


@pytest.mark.parametrize("target", ["../outside.txt", "nowhere"])
def test_a_link_out_of_a_package_is_refused(tmp_path: Path, target: str) -> None:
    """As in a function's folder; one within the package stands for its content."""
    place = package(tmp_path, "common")
    folder = function(tmp_path, "import common")
    (place / "again.txt").symlink_to("words.txt")
    assert "common/again.txt" in {name for name, _ in Sources(folder, {"common": place}).code_files()}
    (tmp_path / "outside.txt").write_text("")
    (place / "link.txt").symlink_to(target)
    with pytest.raises(SpecError, match=r"common/link\.txt is a (?:broken or circular )?link"):
        Sources(folder, {"common": place}).code_files()


def test_data_of_a_package_counts_where_the_package_is_used(tmp_path: Path) -> None:
    """A builder that does not import the package is not built anew when its words change."""
    from edgefn.compile.author.closure import closure_of

    source = "import common\ndef net():\n    return common.part\ndef other():\n    return 1\n"
    folder = function(tmp_path, source)
    packages = {"common": package(tmp_path, "common")}
    sources = Sources(folder, packages)

    def names(of: str) -> set[str]:
        closure = closure_of(folder / "talk.py", of, folder, packages)
        return {name for name, _ in sources.data_files(closure)}

    assert names("net") == {"common/words.txt"}
    assert names("other") == set()
    shutil.rmtree(packages["common"] / "samples")
    assert names("net") == {"common/words.txt"}


def test_requirements_count_for_what_the_handler_ran_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is taken out of requirements.txt runs the handler anew, which may miss the package."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    folder = function(tmp_path, MODEL, "talk_of_requirements")
    handler = import_function(folder)
    (net,) = models_of(sys.modules["talk_of_requirements"]).values()

    def keys() -> tuple[str, str]:
        sources = Sources(folder)
        return sources.golden_key(net, handler), sources.builder_key(net)

    before = keys()
    (folder / "requirements.txt").write_text("pytest-xdist\n")
    golden, builder = keys()
    assert golden != before[0]
    assert builder == before[1]
