"""Which box a verb finds, by which way, and whose token it sends: a token goes to the one box that it belongs to."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgefn.errors import SpecError, Unauthorized
from edgefn.project import Project
from edgefn_cli.boxes.addresses import canonical, is_clear, leads_to
from edgefn_cli.boxes.discovery import DEFAULT_URL, Address, find, read_token
from edgefn_cli.boxes.local import AnnouncedBox
from edgefn_cli.boxes.logins import Login, Logins

if TYPE_CHECKING:
    from tests.cli.conftest import Edgefn, StandIn

NOWHERE = Project(Path("/"), "nowhere")
FAR = "https://line-3.example:8080"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No token, no login and an empty home, whatever the machine has."""
    for name in ("EDGEFN_TOKEN", "EDGEFN_BOX", "EDGEFN_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EDGEFN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@contextmanager
def home_of_a_box(home: Path, url: str) -> Iterator[Path]:
    """A home as a box leaves it while it runs: where it listens, and its owner's socket."""
    (home / "run").mkdir(parents=True)
    (home / "run" / "box.json").write_text(json.dumps({"url": url, "pid": 1}))
    path = home / "run" / "box.sock"
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(path))
        yield path


def test_the_default_is_the_local_box(tmp_path: Path) -> None:
    """Without option, environment and project: the box of this user's home by its socket, else the usual port."""
    assert find(None, NOWHERE).url == DEFAULT_URL == "http://127.0.0.1:8080"
    with home_of_a_box(tmp_path / "home", "http://127.0.0.1:4711") as path:
        found = find(None, NOWHERE)
    assert (found.url, found.socket, found.token) == ("http://127.0.0.1:4711", path, None)


def test_the_option_goes_before_the_environment(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """--box wins over EDGEFN_BOX."""
    box.json("POST /fn/echo", {"n": 1})
    monkeypatch.setenv("EDGEFN_BOX", "http://127.0.0.1:1")
    assert edgefn("invoke", "echo").code == 5
    assert edgefn("invoke", "echo", "--box", box.url).code == 0


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
    """A name that merely looks local is not."""
    assert Address(url).is_local is local
    assert is_clear(url) is (not local and url.startswith("http:"))


@pytest.mark.parametrize("url", ["ftp://box", "http://", "http://box:port", "http://box?x=1", "http://[::1"])
def test_an_address_that_is_none_is_an_error(url: str) -> None:
    """What cannot be reached is said before it is tried."""
    with pytest.raises(SpecError, match="is not a URL"):
        find(url, NOWHERE)


def test_a_path_below_a_proxy_is_kept() -> None:
    """A box may stand behind a path; only the trailing slash goes."""
    assert find("https://site.example/line-3/", NOWHERE).url == "https://site.example/line-3"


def test_a_name_that_nobody_knows_is_an_error() -> None:
    """A name comes from an edgefn.toml or from a login."""
    with pytest.raises(SpecError, match=r"no box 'line-3' .*`edgefn login URL --name line-3`"):
        find("line-3", NOWHERE)


def test_names_and_the_default_come_from_the_project(
    edgefn: Edgefn, box: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name finds its URL, no name finds the default box; an unknown one names those that are known."""
    toml = f'[project]\nname = "p"\ndefault_box = "here"\n[boxes.here]\nurl = "{box.url}"\n'
    (tmp_path / "edgefn.toml").write_text(toml + '[boxes.dead]\nurl = "http://127.0.0.1:1"\n')
    monkeypatch.delenv("EDGEFN_BOX")
    box.json("POST /fn/echo", {"n": 1})
    assert edgefn("invoke", "echo").code == 0
    assert edgefn("invoke", "echo", "--box", "here").code == 0
    assert edgefn("invoke", "echo", "--box", "dead").code == 5
    unknown = edgefn("list", "--box", "their")
    assert unknown.code == 2
    assert "here" in unknown.stderr


# ── whose token ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cloned_projects_box_gets_no_token(
    edgefn: Edgefn, box: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither EDGEFN_TOKEN, nor the file of a home, nor another login goes to a URL that an edgefn.toml names."""
    (tmp_path / "edgefn.toml").write_text(f'[project]\nname = "p"\n[boxes.till]\nurl = "{box.url}"\n')
    monkeypatch.delenv("EDGEFN_BOX")
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text("secret\n")
    Logins.of_user().add(Login("other", FAR, "of-the-other"))
    for line in (["list"], ["list", "--box", "till"], ["invoke", "echo"], ["stop", "echo"]):
        edgefn(*line)
    assert len(box.seen) == 4
    assert all("authorization" not in headers for _, _, headers in box.seen)
    refused = edgefn("list")
    assert refused.code == 7
    assert f"edgefn login {box.url}" in refused.stderr
    assert "EDGEFN_TOKEN is sent only to the URL in EDGEFN_BOX" in refused.stderr


def test_the_environments_token_goes_to_the_environments_box_alone(
    edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to one that --box names, even where that is a spelling of the same machine."""
    box.json("GET /admin/functions", {"functions": []})
    assert edgefn("list").code == 0
    other = box.url.replace("127.0.0.1", "localhost")
    assert edgefn("list", "--box", other).code == 7
    assert "authorization" not in box.asked("GET /admin/functions")[-1][1]


def test_a_token_beside_a_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the name stands for may be the word of a cloned folder: nothing is guessed, and nothing ignored."""
    monkeypatch.setenv("EDGEFN_BOX", "till")
    monkeypatch.setenv("EDGEFN_TOKEN", "secret")
    with pytest.raises(SpecError, match="give EDGEFN_BOX its URL"):
        find("till", Project(Path("/"), "p", boxes={"till": FAR}))


def test_a_login_is_found_by_its_url_and_by_its_name() -> None:
    """However the URL is spelled; another port or scheme is another box."""
    Logins.of_user().add(Login("line-3", FAR, "of-line-3"))
    project = Project(Path("/"), "p", boxes={"till": "https://LINE-3.example:8080/", "mine": ""})
    for name in ("line-3", "till", FAR, f"{FAR}/"):
        token = find(name, project).token
        assert token is not None
        assert token.value == "of-line-3"
    for url in ("http://line-3.example:8080", "https://line-3.example", "https://line-3.example:8081", f"{FAR}/x"):
        assert find(url, project).token is None


def test_a_name_that_means_two_boxes_is_an_error() -> None:
    """The project's and the user's: neither is taken for the other."""
    Logins.of_user().add(Login("till", FAR, "secret"))
    with pytest.raises(SpecError, match="give --box the URL"):
        find("till", Project(Path("/"), "p", boxes={"till": "https://till.example"}))


def test_a_token_does_not_cross_the_network_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http beyond loopback wants --insecure, whether the token is a login's or the environment's."""
    clear = "http://192.168.1.20:8080"
    Logins.of_user().add(Login("line-3", clear, "secret"))
    with pytest.raises(SpecError, match="unencrypted"):
        find("line-3", NOWHERE)
    monkeypatch.setenv("EDGEFN_BOX", "http://10.0.0.1:8080")
    monkeypatch.setenv("EDGEFN_TOKEN", "secret")
    with pytest.raises(SpecError, match="unencrypted"):
        find("http://10.0.0.1:8080", NOWHERE)
    monkeypatch.setenv("EDGEFN_INSECURE", "1")
    assert find("line-3", NOWHERE).token is not None
    monkeypatch.delenv("EDGEFN_INSECURE")
    Logins.of_user().add(Login("line-3", clear, "secret", insecure=True))
    assert find("line-3", NOWHERE).token is not None


def test_the_tokens_of_this_user_are_open_to_nobody_else(tmp_path: Path) -> None:
    """0600 in a folder of 0700; a file that others may read is refused, and a damaged one is told."""
    logins = Logins.of_user()
    logins.add(Login("line-3", FAR, "secret"))
    assert logins.file.stat().st_mode & 0o777 == 0o600
    assert logins.file.parent.stat().st_mode & 0o777 == 0o700
    logins.add(Login("again", f"{FAR}/", "newer"))
    assert [login.name for login in logins.all()] == ["again"], "two logins to one URL"
    logins.file.chmod(0o640)
    with pytest.raises(SpecError, match="chmod 600"):
        logins.all()
    logins.file.chmod(0o600)
    logins.file.write_text("{")
    with pytest.raises(SpecError, match="damaged"):
        logins.all()


# ── this machine's box ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("announced", "url", "same"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("http://127.0.0.1:8080", "http://localhost:8080/", True),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080", True),
        ("https://[::]:8080", "https://localhost:8080", True),
        ("http://192.168.1.20:8080", "http://192.168.1.20:8080", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081", False),
        ("http://127.0.0.1:8080", "https://127.0.0.1:8080", False),
        ("http://127.0.0.1:8080", "http://line-3:8080", False),
        ("http://192.168.1.20:8080", "http://127.0.0.1:8080", False),
    ],
)
def test_a_url_leads_to_this_machines_box(announced: str, url: str, same: bool) -> None:
    """By what the box announced, and by the loopback interface where it listens there."""
    assert leads_to(url, announced) is same


def test_the_socket_goes_before_a_port_and_a_token(tmp_path: Path) -> None:
    """Where the box is this user's own, no token is looked for; a file that is no socket is none."""
    url = "http://127.0.0.1:4711"
    Logins.of_user().add(Login("here", url, "secret"))
    with home_of_a_box(tmp_path / "home", url) as path:
        found = find(url, NOWHERE)
        assert (found.socket, found.token) == (path, None)
    path.unlink()
    path.write_text("")
    assert AnnouncedBox.of(tmp_path / "home") is None
    assert find(url, NOWHERE).socket is None


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a socket of another user")
def test_a_socket_of_another_user_is_not_ours(tmp_path: Path) -> None:
    """A user is not led to a box that somebody else put at a home of theirs; root may speak to any."""
    tmp_path.chmod(0o755)
    with home_of_a_box(tmp_path / "home", DEFAULT_URL) as path:
        os.chown(path, 1234, 1234)
        assert AnnouncedBox.of(tmp_path / "home") is not None
        os.seteuid(4321)
        try:
            assert AnnouncedBox.of(tmp_path / "home") is None
        finally:
            os.seteuid(0)


def test_one_spelling_of_a_url() -> None:
    """Case, a port that goes without saying, and a slash at the end make no difference."""
    assert canonical("HTTPS://Box.Example/") == canonical("https://box.example:443")
    assert canonical("http://[::1]:8080") != canonical("http://[::1]:8081")


@pytest.mark.parametrize("content", [b"", b"\n", "tökén".encode(), b"\xff\xfe", b"a\x00b", b"two words"])
def test_a_file_that_holds_no_token_is_told(content: bytes, tmp_path: Path) -> None:
    """Not an empty header, not a UnicodeError from the HTTP library."""
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Unauthorized, match="token"):
        read_token(tmp_path)


def test_no_token_file_says_what_to_do(tmp_path: Path) -> None:
    """The two ways out are named."""
    with pytest.raises(Unauthorized, match=r"edgefn box run.*EDGEFN_HOME"):
        read_token(tmp_path / "nowhere")


def test_plain_http_takes_no_proxy(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would read the token: plain http goes to the box itself, or nowhere."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    box.json("GET /admin/functions", {"functions": []})
    assert edgefn("list").code == 0
