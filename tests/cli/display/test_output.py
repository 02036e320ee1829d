"""What a terminal would act on is written out, whoever wrote it: one property over all that the command prints."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from edgefn.text.terminal import UNPRINTABLE, visible, visible_json
from tests.cli.conftest import STATUS, TOKEN
from tests.terminal import in_terminal

if TYPE_CHECKING:
    from tests.cli.conftest import Edgefn, StandIn

EVIL = "a\x1b]0;title\x07\x1b[2J\x9b31m\rb\u202ec\u2028d\x7f"
"""Sets the title, clears the screen, colours by an 8-bit sequence, goes back in the line, turns the text around."""

HARMLESS = "a\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\rb\\u202ec\\u2028d\\x7f"


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    """Of any text; what is harmless stays as it is, so that a second time changes nothing."""
    shown = visible(text)
    assert not UNPRINTABLE.search(shown)
    assert visible(shown) == shown
    assert shown == text or UNPRINTABLE.search(text)
    shown.encode()


@settings(max_examples=40)
@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_stays_the_same_value(value: object) -> None:
    """For programs: the escapes are JSON's own."""
    shown = visible_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(shown) == value
    assert not UNPRINTABLE.search(shown)


VERBS = (
    ["list"],
    ["status", "echo"],
    ["explain", "echo"],
    ["box", "info"],
    ["logs", "echo"],
    ["stop", "echo"],
    ["rollback", "echo"],
    ["remove", "echo"],
    ["box", "audit"],
    ["box", "allow", "--list"],
    ["box", "allow", "echo", "network"],
    ["box", "token", "list"],
    ["box", "token", "create", "line-3", "--scope", "admin"],
    ["box", "token", "rotate", "line-3"],
    ["secret", "list"],
    ["secret", "set", "registry"],
    ["invoke", "echo"],
)


def evil(value: object) -> object:
    """`value` with each of its texts made hostile, but for those that are read as a time or a number."""
    if isinstance(value, dict):
        return {key: evil(one) for key, one in value.items()}
    if isinstance(value, list):
        return [evil(one) for one in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


def hostile(box: StandIn) -> None:
    """The box answers each verb with hostile texts in all places."""
    status = evil(STATUS)
    box.json("GET /admin/functions", {"functions": [status]})
    box.json("GET /admin/functions/echo", status)
    artifact = {"model": "m", "target": "t", "backend": "b", "state": "broken", "reason": "r", "answers": "x"}
    numbers = dict.fromkeys(
        ("rank", "latency_s", "ratio", "error", "error_limit", "top1", "top1_bound", "finish_s", "load_s", "size_bytes")
    )
    found = {"artifacts": [artifact | numbers], "advice": [{"rule": "r", "text": "t"}], "changed": "c"}
    found |= {"function": "f", "revision": "sha256:12", "finishing": None}
    box.json("GET /admin/functions/echo/explain", evil(found))
    about = {
        "name": "n",
        "engines": {EVIL: "1"},
        "uptime_s": 1.0,
        "isolation": {"network": "why not"},
        "devices": ["d"],
    }
    refused = [{"function": "f", "artifact": "a", "needs": "n", "has": "h", "fix": "f"}]
    box.json("GET /admin/box", evil(about | {"refused": refused}))
    box.answers["GET /admin/functions/echo/logs"] = Response(f"2026 stdout 1 - {EVIL}\n", media_type="text/plain")
    box.json("POST /admin/functions/echo/stop", status)
    box.json("POST /admin/functions/echo/rollback", evil({"function": "f", "number": 2, "revision": "sha256:12"}))
    grant = {"function": "f", "kind": "k", "value": "v", "granted_at": "now", "granted_by": "b"}
    box.json("GET /admin/grants", evil({"grants": [grant]}))
    box.json("POST /admin/functions/echo/grants", evil({"function": "f", "grants": [grant], "asked": ["device"]}))
    token = {"name": "n", "scopes": ["s"], "rate": None, "created_at": "now", "uses": 1}
    box.json("GET /admin/tokens", {"tokens": [evil(token)]})
    for route in ("POST /admin/tokens", "POST /admin/tokens/line-3/rotate"):
        box.json(route, evil(token | {"token": "t"}))
    secret = {"name": "n", "sealed_by": "s", "set_at": "now"}
    box.json("GET /admin/secrets", {"secrets": [evil(secret)]})
    box.json("PUT /admin/secrets/registry", evil(secret))
    members = ("at", "who", "address", "action", "function", "before", "after", "result", "detail")
    box.events("GET /admin/audit", evil(dict.fromkeys(members, "sha256:1")))  # type: ignore[arg-type]
    box.problem("DELETE /admin/functions/echo", 500, error="HomeError", detail=EVIL, trace=EVIL)
    timing = 'run;dur=1.0;desc="\x9b2J"'
    box.answers["POST /fn/echo"] = Response(
        EVIL.encode(), headers={"content-type": "text/plain; charset=utf-8", "server-timing": timing}
    )


@pytest.mark.parametrize("detail", [{"detail": EVIL}, {"trace": EVIL, "error": "DeploymentRefused"}])
def test_no_error_passes_it_on(detail: dict[str, Any], edgefn: Edgefn, box: StandIn) -> None:
    """The words and the trace of an error; with --json they are the very text."""
    box.problem("GET /admin/functions/echo", 422, **detail)
    assert not UNPRINTABLE.search(edgefn("status", "echo").stderr)
    assert not UNPRINTABLE.search(edgefn("--debug", "status", "echo").stderr)
    told = edgefn("status", "echo", "--json").problem
    assert {key: told[key] for key in detail} == detail


def test_json_is_exact(edgefn: Edgefn, box: StandIn) -> None:
    """A program reads what the box said, to the character."""
    box.json("GET /admin/functions/echo", evil(STATUS))
    shown = edgefn("status", "echo", "--json")
    assert shown.json == evil(STATUS)
    assert not UNPRINTABLE.search(shown.stdout.decode())


def test_a_functions_answer_at_a_terminal_and_in_a_pipe(edgefn: Edgefn, box: StandIn) -> None:
    """Written out where a person reads it, with its timing; the bare bytes for a program."""
    hostile(box)
    assert edgefn("invoke", "echo").stdout == EVIL.encode()
    env = os.environ | {"EDGEFN_BOX": box.url, "EDGEFN_TOKEN": TOKEN, "NO_COLOR": "1"}
    shown = in_terminal([sys.executable, "-m", "edgefn_cli", "invoke", "echo", "--timing"], env)[0].decode()
    assert HARMLESS in shown
    assert not re.search("[\x1b\x07\x9b\u202e]", shown)
