"""Which box a verb finds, and whose token it sends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgefn.errors import SpecError, Unauthorized
from edgefn.project import Project
from edgefn_cli.discovery import DEFAULT_URL, Address, find, read_token

if TYPE_CHECKING:
    from .conftest import Edgefn, StandIn

NOWHERE = Project(Path("/"), "nowhere")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No token and an empty home, whatever the machine has."""
    monkeypatch.delenv("EDGEFN_TOKEN", raising=False)
    monkeypatch.setenv("EDGEFN_HOME", str(tmp_path))


def test_the_default_is_the_local_box() -> None:
    """Without option, environment and project: the port that `edgefn box run` takes."""
    assert find(None, NOWHERE).url == DEFAULT_URL == "http://127.0.0.1:8080"


def test_the_option_goes_before_the_environment(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """--box wins over EDGEFN_BOX."""
    box.json("GET /admin/functions", {"functions": []})
    monkeypatch.setenv("EDGEFN_BOX", "http://127.0.0.1:1")
    assert edgefn("list").code == 5
    assert edgefn("list", "--box", box.url).code == 0


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.8.8.8", True),
        ("http://localhost:1", True),
        ("http://[::1]:8080", True),
        ("http://192.168.1.20:8080", False),
        ("https://box.example", False),
        ("http://localhost.example", False),
    ],
)
def test_only_loopback_is_this_machine(url: str, local: bool) -> None:
    """A token file is taken for boxes on this machine alone: a name that merely looks local is not."""
    assert Address(url).is_local is local


@pytest.mark.parametrize("url", ["ftp://box", "http://", "http://box:port", "http://box?x=1", "http://[::1"])
def test_an_address_that_is_none_is_an_error(url: str) -> None:
    """What cannot be reached is said before it is tried."""
    with pytest.raises(SpecError, match="write a URL"):
        find(url, NOWHERE)


def test_a_path_below_a_proxy_is_kept() -> None:
    """A box may stand behind a path; only the trailing slash goes."""
    assert find("https://site.example/line-3/", NOWHERE).url == "https://site.example/line-3"


def test_a_name_without_a_project_is_an_error() -> None:
    """A name can only come from an edgefn.toml."""
    with pytest.raises(SpecError, match="no box 'line-3'"):
        find("line-3", NOWHERE)


def test_names_and_the_default_come_from_the_project(
    edgefn: Edgefn, box: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name finds its URL, no name finds the default box; an unknown one names those that are known."""
    toml = f'[project]\nname = "p"\ndefault_box = "here"\n[boxes.here]\nurl = "{box.url}"\n'
    (tmp_path / "edgefn.toml").write_text(toml + '[boxes.dead]\nurl = "http://127.0.0.1:1"\n')
    monkeypatch.delenv("EDGEFN_BOX")
    box.json("GET /admin/functions", {"functions": []})
    assert edgefn("list").code == 0
    assert edgefn("list", "--box", "here").code == 0
    assert edgefn("list", "--box", "dead").code == 5
    unknown = edgefn("list", "--box", "their")
    assert unknown.code == 2
    assert "here" in unknown.stderr


def test_the_token_comes_from_the_environment_then_from_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EDGEFN_TOKEN goes before the file in EDGEFN_HOME."""
    (tmp_path / "token").write_text("from-file\n")
    assert Address(DEFAULT_URL).token().value == "from-file"
    monkeypatch.setenv("EDGEFN_TOKEN", " from-environment\n")
    assert Address(DEFAULT_URL).token().value == "from-environment"


def test_a_token_file_is_never_sent_to_another_machine(tmp_path: Path) -> None:
    """The local box's token stays on this machine."""
    (tmp_path / "token").write_text("secret")
    with pytest.raises(Unauthorized, match="EDGEFN_TOKEN"):
        Address("http://192.168.1.20:8080").token()


@pytest.mark.parametrize("content", [b"", b"\n", "tökén".encode(), b"\xff\xfe", b"a\x00b"])
def test_a_file_that_holds_no_token_is_told(content: bytes, tmp_path: Path) -> None:
    """Not an empty header, not a UnicodeError from the HTTP library."""
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Unauthorized, match="token"):
        read_token(tmp_path)


def test_no_token_file_says_what_to_do(tmp_path: Path) -> None:
    """The two ways out are named."""
    with pytest.raises(Unauthorized, match=r"edgefn box run.*EDGEFN_HOME"):
        read_token(tmp_path / "nowhere")


def test_loopback_calls_take_no_proxy(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's proxy in the environment cannot reach the box on this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    box.json("GET /admin/functions", {"functions": []})
    assert edgefn("list").code == 0
