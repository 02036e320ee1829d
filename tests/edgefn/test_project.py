"""edgefn.toml: what it says is what is done, and what cannot be done is an error that names the line."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import SpecError
from edgefn.project import FILE_NAME, TABLES, BuildTable, Project
from edgefn.text.tables import TableFile

REPOSITORY = Path(__file__).parents[2]

WHOLE = """\
[project]
name = "shop"
default_box = "till"

[functions.count_people]
path = "functions/count_people"

[build]
targets = ["portable/fp32"]
output = "out"
python = "3.12"
platform = "manylinux_2_28_aarch64"
compile_timeout = "90s"

[boxes.till]
url = "http://till-1.example:8080/"
[boxes.door]
url = "https://door.example"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / FILE_NAME
    path.write_text(text)
    return path


def make_function(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / f"{folder.name}.py").write_text("")
    return folder


def test_the_whole_file(tmp_path: Path) -> None:
    """Every key arrives; paths are relative to the file."""
    project = Project.read(write(tmp_path, WHOLE))
    assert (project.root, project.name, project.file) == (tmp_path, "shop", tmp_path / FILE_NAME)
    assert project.functions == {"count_people": tmp_path / "functions" / "count_people"}
    assert project.output == tmp_path / "out"
    assert project.build == BuildTable(("portable/fp32",), "out", "3.12", "manylinux_2_28_aarch64", "90s")
    assert project.boxes == {"till": "http://till-1.example:8080", "door": "https://door.example"}
    assert project.boxes == {"till": "http://till-1.example:8080", "door": "https://door.example"}
    assert project.default_box == "till"
    assert project.packages == {}


def test_the_least_file(tmp_path: Path) -> None:
    """A name is enough; all else has the documented defaults."""
    project = Project.read(write(tmp_path, '[project]\nname = "shop"\n'))
    assert project.build == BuildTable()
    assert (dict(project.functions), dict(project.boxes), project.default_box) == ({}, {}, "")
    assert project.output == tmp_path / ".edgefn" / "bundles"


def test_the_default_box(tmp_path: Path) -> None:
    """One box is the default; of several none is, unless default_box says which."""
    one = '[project]\nname = "s"\n[boxes.a]\nurl = "http://a:1"\n'
    assert Project.read(write(tmp_path, one)).default_box == "a"
    assert Project.read(write(tmp_path, one + '[boxes.b]\nurl = "http://b:1"\n')).default_box == ""


def test_found_from_below(tmp_path: Path) -> None:
    """The nearest edgefn.toml upwards counts, from a folder, a file, or through a link."""
    write(tmp_path, WHOLE)
    function = make_function(tmp_path / "functions" / "count_people")
    for start in (tmp_path, function, function / "count_people.py"):
        assert Project.find(start).root == tmp_path
    inner = tmp_path / "functions"
    write(inner, '[project]\nname = "inner"\n')
    assert Project.find(function).name == "inner"
    (tmp_path / "link").symlink_to(function)
    assert Project.find(tmp_path / "link").name == "inner"


def test_without_a_file(tmp_path: Path) -> None:
    """A function's folder without edgefn.toml lies in a project of defaults; so does any other folder."""
    function = make_function(tmp_path / "shop" / "count_people")
    project = Project.find(function)
    assert (project.root, project.file, project.build) == (tmp_path / "shop", None, BuildTable())
    assert Project.find(tmp_path / "shop").root == tmp_path / "shop"
    assert project.default_box == ""


def test_functions_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function is named as in edgefn.toml or by its folder; one that is not there is an error that says where."""
    project = Project.read(write(tmp_path, WHOLE))
    with pytest.raises(SpecError, match=r"no function in .*count_people, \[functions.count_people\] of .*toml"):
        project.function("count_people")
    folder = make_function(tmp_path / "functions" / "count_people")
    monkeypatch.chdir(tmp_path)
    assert project.function("count_people") == project.function("functions/count_people") == folder
    with pytest.raises(SpecError, match="functions of this project: count_people"):
        project.function("count_poeple")


def test_a_box_without_a_url_is_the_login_of_its_name(tmp_path: Path) -> None:
    """A shared project names its boxes; where they are, each user knows."""
    project = Project.read(write(tmp_path, WHOLE.replace('url = "https://door.example"', "")))
    assert project.boxes == {"till": "http://till-1.example:8080", "door": ""}


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("[build]", "[biuld]", r':8: \[biuld\] is unknown; did you mean "build"\?'),
        ("targets =", "target =", r""":9: 'target' is unknown in \[build\]; did you mean "targets"\?"""),
        ("default_box =", "box =", r":3: 'box' is unknown in \[project\]"),
        ('path = "functions/count_people"', 'pth = "x"', r":6: 'pth' is unknown in \[functions.count_people\]"),
        ('path = "functions/count_people"', "", r":5: 'path' is missing in \[functions.count_people\]: add it"),
        ('path = "functions/count_people"', "path = 1", r":6: 'path' in \[functions.count_people\]: Expected `str`"),
        (
            'path = "functions/count_people"',
            'path = "functions/people"',
            r":6: .*write \[functions.people\], or rename",
        ),
        ('path = "functions/count_people"', 'path = ""', r":6: 'path' .* is empty"),
        ("functions.count_people", "functions.Count-People", r":5: 'Count-People' is no function's name"),
        ('name = "shop"', "name = 1", r":2: 'name' in \[project\]: Expected `str`, got `int`"),
        ('name = "shop"', 'name = ""', r":2: 'name' in \[project\] is empty"),
        ('name = "shop"', "", r":1: 'name' is missing in \[project\]"),
        ("[project]", "[other]", r"\[other\] is unknown"),
        ('["portable/fp32"]', '"portable/fp32"', r":9: 'targets' in \[build\]: Expected `array`, got `str`"),
        ('["portable/fp32"]', "[1]", r":9: 'targets' in \[build\]: Expected `str`"),
        ('["portable/fp32"]', "[]", r":9: 'targets' in \[build\] is empty"),
        ('["portable/fp32"]', '["portable/fp32", "portable/fp32"]', r":9: .* names one twice"),
        (
            '["portable/fp32"]',
            '["portable/fp16"]',
            r':9: .* \'portable/fp16\' is not known; did you mean "portable/fp32"',
        ),
        ('["portable/fp32"]', '["rk3588/int8"]', r":9: .*'rk3588/int8' is not known; .*portable/fp32"),
        ('output = "out"', 'output = ""', r":10: 'output' in \[build\] is empty"),
        ('"3.12"', '"3.9"', r":11: 'python' in \[build\] is '3.9'"),
        ('"3.12"', "3.12", r":11: 'python' in \[build\]: Expected `str`, got `float`"),
        ('"90s"', '"90"', r":13: 'compile_timeout' in \[build\] is '90'"),
        ('"90s"', '"0s"', r":13: 'compile_timeout' in \[build\] is no time at all"),
        ('"manylinux_2_28_aarch64"', '"linux"', r":12: 'platform' in \[build\] is 'linux'"),
        ('"till"', '"tall"', r":3: 'default_box' is 'tall', which is not under \[boxes\]"),
        ("http://till-1.example:8080/", "till-1.example:8080", r":16: 'url' in \[boxes.till\] is 'till-1"),
        ("http://till-1.example:8080/", "ftp://x", r"write http://HOST:PORT"),
        ("http://till-1.example:8080/", "http://x:99999", r"write http://HOST:PORT"),
        ("http://till-1.example:8080/", "http://user:secret@x", r"write http://HOST:PORT"),
        ('url = "https://door.example"', 'url = "https://door.example"\ntoken = "x"', r":19: 'token' is unknown"),
        ("[build]", "[build", r"edgefn.toml does not read: .*line 8"),
        ("[build]", "[project]", r"edgefn.toml does not read: .*line 8"),
    ],
)
def test_what_cannot_be_honoured(tmp_path: Path, old: str, new: str, match: str) -> None:
    """An unknown, missing, ill-typed or impossible value is an error naming the file, the line and what to write."""
    assert old in WHOLE
    with pytest.raises(SpecError, match=match) as caught:
        Project.read(write(tmp_path, WHOLE.replace(old, new, 1)))
    assert str(tmp_path / FILE_NAME) in str(caught.value)


def test_no_project_table(tmp_path: Path) -> None:
    """A file without [project] says what to add."""
    with pytest.raises(SpecError, match=r"there is no \[project\]: add"):
        Project.read(write(tmp_path, ""))


def test_tables_that_are_none(tmp_path: Path) -> None:
    """`functions` as a list, or a table as a number, are errors and not crashes."""
    with pytest.raises(SpecError, match=r":1: \[functions\] is \['a'\]: write a table \[functions.NAME\]"):
        Project.read(write(tmp_path, 'functions = ["a"]\n[project]\nname = "x"\n'))
    with pytest.raises(SpecError, match=r"\[boxes.a\]: Expected `object`"):
        Project.read(write(tmp_path, '[project]\nname = "x"\n[boxes]\na = "http://a:1"\n'))


def test_not_text(tmp_path: Path) -> None:
    """A file that is not UTF-8, and a folder of the name, are not taken for a project."""
    (tmp_path / FILE_NAME).write_bytes(b"\xff")
    with pytest.raises(SpecError, match="does not read"):
        Project.find(tmp_path)
    os.mkdir(tmp_path / "x")
    os.mkdir(tmp_path / "x" / FILE_NAME)
    with pytest.raises(SpecError, match="does not read"):
        Project.find(tmp_path / "x")


@given(
    st.recursive(
        st.none() | st.integers(-5, 5) | st.text(max_size=3), lambda inner: st.dictionaries(st.text(max_size=4), inner)
    )
)
def test_any_value_of_a_table_is_taken_or_refused(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    """Whatever stands under a table, the outcome is a struct or a SpecError."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("")
    for name, table in TABLES.items():
        with pytest.raises(SpecError):
            TableFile(path).table(name, {"zz": value}, table)


def test_every_key_is_documented() -> None:
    """docs/edgefn-toml.md has a row for each key that the file may have, with its default, and no other keys."""
    text = (REPOSITORY / "docs" / "edgefn-toml.md").read_text("utf-8")
    for name, table in TABLES.items():
        section = re.search(rf"^## `\[{name}.*?(?=^## |\Z)", text, re.M | re.S)
        assert section, f"docs/edgefn-toml.md has no section for [{name}]"
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", section[0], re.M))
        fields = {field.name: field for field in msgspec.structs.fields(table)}
        assert set(rows) == set(fields), name
        for key, field in fields.items():
            default = "required" if field.required else f"`{msgspec.json.encode(field.default).decode()}`"
            assert rows[key] == default, key


def test_the_documented_example_is_right(tmp_path: Path) -> None:
    """The example in the docs reads, and shows every table."""
    text = (REPOSITORY / "docs" / "edgefn-toml.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.S)
    assert example
    Project.read(write(tmp_path, example[1]))
    assert set(tomllib.loads(example[1])) == set(TABLES)


def test_this_repositorys_own_file() -> None:
    """The functions that edgefn.toml names are in functions/."""
    project = Project.find(REPOSITORY)
    assert sorted(project.functions) == ["classify_image", "echo", "read_digits"]
    assert [project.function(name) for name in project.functions] == list(project.functions.values())
    assert project.boxes[project.default_box] == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ('["lib/common"]', "'lib/common' .* cannot be imported: name a Python package beside edgefn.toml"),
        ('["class"]', "'class' .* cannot be imported"),
        ('["json"]', "'json' .* is a module of Python already: rename the folder"),
        ('["edgefn"]', "'edgefn' .* is a module of edgefn already: rename the folder"),
        ('["commen"]', r"'commen' .* is not there: make the folder .*commen with an __init__\.py"),
        ('["empty"]', r"'empty' .* is no package: add an empty .*empty/__init__\.py"),
        ('["common", "common"]', "names common twice"),
        ('["count_people"]', r"has the name of \[functions.count_people\], whose module would hide it"),
        ('"common"', "Expected `array`"),
    ],
)
def test_a_package_that_cannot_be_shared(tmp_path: Path, names: str, problem: str) -> None:
    """Each is an error with the file, the line and what to do; nothing is imported to find out."""
    for name in ("empty", "common"):
        (tmp_path / name).mkdir()
    (tmp_path / "common" / "__init__.py").touch()
    assert Project.read(write(tmp_path, _sharing('["common"]'))).packages == {"common": tmp_path / "common"}
    with pytest.raises(SpecError, match=rf"edgefn\.toml:4: .*{problem}"):
        Project.read(write(tmp_path, _sharing(names)))


def _sharing(names: str) -> str:
    return WHOLE.replace('default_box = "till"', f'default_box = "till"\npackages = {names}')
