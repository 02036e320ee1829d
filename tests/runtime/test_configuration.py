"""Where a box's settings come from."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import SpecError
from edgefn_runtime import configuration
from edgefn_runtime.__main__ import _configuration
from edgefn_runtime.configuration import configure
from edgefn_runtime.options import OPTIONS, flag, variable
from edgefn_runtime.settings import BoxSettings

DOCS = Path(__file__).parents[2] / "docs"


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    """Let a SpecError out only when it names `what`."""
    try:
        yield
    except SpecError as error:
        if what not in str(error):
            raise AssertionError(str(error)) from error
        raise


def _written(folder: Path, text: str, mode: int = 0o600) -> str:
    file = folder / "box.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return str(file)


def test_each_option_sets_a_field_of_its_own() -> None:
    """No option is ignored, and no two set the same."""
    fields = [option.field for option in OPTIONS.values()]
    assert len(set(fields)) == len(fields)
    assert set(fields) <= set(BoxSettings.__struct_fields__)


def test_a_flag_goes_before_the_variable_and_that_before_the_file(tmp_path: Path) -> None:
    """Each source is named."""
    file = _written(tmp_path, 'port = 1\nhost = "10.0.0.1"\nmemory = "1GiB"')
    found = configure({"port": "3", "config": file}, {"EDGEFN_PORT": "2", "EDGEFN_HOST": "10.0.0.2"})
    assert (found.settings.port, found.settings.host, found.settings.memory_bytes) == (3, "10.0.0.2", 2**30)
    assert found.sources["port"] == "--port"
    assert found.sources["host"] == "EDGEFN_HOST"
    assert found.sources["memory"] == file
    assert found.sources["root_path"] == "default"


def test_the_file_is_named_by_its_variable(tmp_path: Path) -> None:
    """EDGEFN_CONFIG is enough; --config goes before it; one that is not there is an error."""
    file = _written(tmp_path, "port = 81")
    assert configure({}, {"EDGEFN_CONFIG": file}).settings.port == 81
    with pytest.raises(SpecError, match="choose another file with --config"):
        configure({"config": str(tmp_path / "none.toml")}, {"EDGEFN_CONFIG": file})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pory = 1", 'unknown key "pory"; did you mean "port"'),
        ("fd = 3", 'unknown key "fd"'),
        ("port = 65536", "port of .*whole number from 0 to 65535"),
        ("port = true", "whole number"),
        ("port = 80.5", "whole number"),
        ('host = ""', "host of .*give a string"),
        ("client_timeout = 0", "0.1 seconds or more"),
        ("client_timeout = nan", "client_timeout"),
        ("client_timeout = -1", "client_timeout"),
        ('memory = "2 potatoes"', "memory of"),
        ('trusted_proxies = ["everybody"]', "addresses or networks"),
        ("trusted_proxies = [1]", "give strings"),
        ("port = ", "is not valid TOML"),
        ('"\\u0000" = 1', "unknown key"),
    ],
)
def test_what_cannot_be_honoured_is_an_error_that_names_the_key(tmp_path: Path, text: str, told: str) -> None:
    """Nothing of a file is ever ignored."""
    with pytest.raises(SpecError, match=told):
        configure({"config": _written(tmp_path, text)}, {})


@given(value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())))
@pytest.mark.parametrize("name", OPTIONS)
def test_any_value_is_a_setting_or_an_error_that_names_it(name: str, value: object) -> None:
    """Each reader takes what TOML may hold and never fails otherwise."""
    with contextlib.suppress(SpecError), _naming("the key"):
        OPTIONS[name].read(value, "the key")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Who writes it decides what the box allows."""
    with pytest.raises(SpecError, match="other users can write"):
        configure({"config": _written(tmp_path, "port = 1", mode)}, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_file_in_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """They could put another one there, or none; so they could where a link leads to."""
    folder, other = tmp_path / "open", tmp_path / "closed"
    for made in (folder, other):
        made.mkdir()
    file = _written(folder, "port = 81")
    link = other / "box.toml"
    link.symlink_to(file)
    for named in (file, str(link)):
        folder.chmod(0o755)
        assert configure({"config": named}, {}).settings.port == 81
        folder.chmod(mode)
        with pytest.raises(SpecError, match=r"other users can write .*open"):
            configure({"config": named}, {})
    folder.chmod(0o1777)
    assert configure({"config": file}, {}).settings.port == 81


def test_a_link_to_nowhere_is_no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is not mounted: the box does not start without its TLS, its maxima and its hosts."""
    usual = tmp_path / "box.toml"
    monkeypatch.setattr(configuration, "default_file", lambda: usual)
    assert configure({}, {}).file is None
    usual.symlink_to(tmp_path / "elsewhere" / "box.toml")
    with pytest.raises(SpecError, match="cannot read"):
        configure({}, {})


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner could write it."""
    file = _written(tmp_path, "port = 1")
    os.chown(file, 12345, 12345)
    with pytest.raises(SpecError, match="other users can write"):
        configure({"config": file}, {})


def test_the_box_program_takes_each_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its help tells them all, and --check starts nothing."""
    with pytest.raises(SystemExit):
        _configuration(["--help"])
    shown = capsys.readouterr().out
    for name, option in OPTIONS.items():
        assert flag(name) in shown
        assert not option.in_environment or variable(name) in re.sub(r"\s+", "", shown)
    found, only_check = _configuration(["--check", "--config", _written(tmp_path, "port = 81")])
    assert only_check
    assert found.settings.port == 81


def test_the_page_tells_each_key() -> None:
    """docs/box-toml.md lists the keys that there are, and its example can be read."""
    page = (DOCS / "box-toml.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [name for name, one in OPTIONS.items() if one.in_file]


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    """Word for word."""
    page = (DOCS / "box-toml.md").read_text(encoding="utf-8")
    example = "".join(line[4:] for line in page.splitlines(keepends=True) if line.startswith("    "))
    found = configure({"config": _written(tmp_path, example)}, {}).settings
    assert (found.host, found.client_timeout_s, found.trusted_proxies) == ("0.0.0.0", 20.0, ("10.0.0.0/8",))
