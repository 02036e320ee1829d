"""`edgefn login` and `edgefn box token` without a box of their own: what is kept, shown, refused and forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .conftest import TOKEN

if TYPE_CHECKING:
    from .conftest import Edgefn, StandIn


def test_a_login_is_kept_listed_and_forgotten(edgefn: Edgefn, box: StandIn) -> None:
    """The token is asked for, shown by nothing, and gone when the login is."""
    box.json("GET /admin/token", {"name": "laptop", "scopes": ["admin"]})
    kept = edgefn("login", box.url, "--name", "here", "--json", stdin=f"{TOKEN}\n".encode())
    assert (kept.json["token"], kept.json["scopes"], kept.json["name"]) == ("laptop", ["admin"], "here")
    assert TOKEN not in kept.stdout.decode() + kept.stderr
    listed = edgefn("login", "--list", "--json")
    assert [login["name"] for login in listed.json["logins"]] == ["here"]
    assert TOKEN not in listed.stdout.decode() + edgefn("login", "--list").stdout.decode()
    assert edgefn("login", "--remove", "here").code == 0
    assert edgefn("login", "--remove", "here").code == 2
    assert edgefn("login", "--list", "--json").json == {"logins": []}


def test_a_token_that_the_box_does_not_know_is_not_kept(edgefn: Edgefn, box: StandIn) -> None:
    """The box is asked first."""
    assert edgefn("login", box.url, stdin=b"another\n").code == 7
    assert edgefn("login", box.url, stdin=b"\n").code == 7
    assert edgefn("login", "--list", "--json").json == {"logins": []}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["login"], "give a URL"),
        (["login", "http://127.0.0.1:1", "--list"], "give a URL"),
        (["login", "http://192.168.1.20:8080"], "--insecure"),
        (["login", "http://127.0.0.1:1", "--fingerprint", "a" * 64], "has no certificate"),
        (["login", "ftp://box"], "is not a URL"),
        (["login", "https://box", "--client-key", "k"], "--client-cert"),
        (["login", "https://box", "--client-cert", "/nowhere.pem"], "cannot be read"),
    ],
)
def test_what_cannot_be_a_login_is_told(line: list[str], says: str, edgefn: Edgefn) -> None:
    """Before a token is asked for, and before anything is sent."""
    refused = edgefn(*line, stdin=b"secret\n")
    assert refused.code == 2
    assert says in refused.stderr


def test_a_token_is_shown_once(edgefn: Edgefn, box: StandIn) -> None:
    """Alone on stdout, for a pipe into `edgefn login`; the words about it are on stderr."""
    made = {"name": "camera", "scopes": ["invoke:echo"], "rate": 5.0, "created_at": "2026-03-01", "uses": 0}
    box.json("POST /admin/tokens", made | {"token": "edgefn_new"})
    box.json("GET /admin/tokens", {"tokens": [made]})
    created = edgefn("box", "token", "create", "camera", "--scope", "invoke:echo", "--rate", "5")
    assert created.stdout == b"edgefn_new\n"
    assert "shown only once" in created.stderr
    assert json.loads(box.asked("POST /admin/tokens")[0][0]) == {
        "name": "camera",
        "scopes": ["invoke:echo"],
        "rate": 5.0,
    }
    shown = edgefn("box", "token", "list").stdout.decode()
    assert shown.splitlines()[1].split()[:3] == ["camera", "invoke:echo", "5/s"]
