"""`edgefn box allow`, `edgefn box audit` and `edgefn secret`: on a real box, as an operator types them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn_cli.boxes.local_box import LocalBox
    from tests.cli.conftest import Edgefn, StandIn


def test_what_is_granted_is_listed_and_taken_back(edgefn: Edgefn, real_box: LocalBox) -> None:
    """A grant may come before the function; the list has who gave it; what is no permission is an error."""
    assert edgefn("box", "allow", "watch", "device", "/dev/null").stderr == "watch may have device /dev/null\n"
    assert edgefn("box", "allow", "watch", "network", "--json").json["grants"][1]["kind"] == "network"
    listed = edgefn("box", "allow", "--list").stdout.decode()
    assert "/dev/null" in listed
    assert "owner" in listed
    assert edgefn("box", "allow", "watch", "network", "--revoke").code == 0
    left = edgefn("box", "allow", "watch", "--list", "--json").json
    assert [grant["kind"] for grant in left["grants"]] == ["device"]
    edgefn("box", "allow", "watch", "device", "/dev/null", "--revoke")
    done = edgefn("box", "allow", "watch", "secret", "key")
    assert (done.code, "functions cannot ask for 'secret' yet" in done.stderr) == (2, True)


@pytest.mark.parametrize("words", [(), ("watch",), ("watch", "network", "--list"), ("watch", "--list", "--revoke")])
def test_a_command_that_says_too_little_or_too_much(edgefn: Edgefn, real_box: LocalBox, words: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is granted."""
    assert edgefn("box", "allow", *words).code == 2


def test_the_audit_log_says_who_did_it(edgefn: Edgefn, real_box: LocalBox) -> None:
    """A line for a person, and an object for a program."""
    edgefn("box", "allow", "audited", "network")
    record = edgefn("box", "audit", "-n", "1", "--json").json
    assert (record["action"], record["function"], record["detail"]) == ("allow", "audited", "network")
    assert (record["who"], record["address"]) == ("owner", "socket")
    line = edgefn("box", "audit", "-n", "1").stdout.decode()
    assert line.split(" ", 1)[1].startswith("allow, audited, owner at socket")
    edgefn("box", "allow", "audited", "network", "--revoke")


def test_a_secret_goes_in_and_does_not_come_out(edgefn: Edgefn, real_box: LocalBox, tmp_path: Path) -> None:
    """From stdin or a file; in no list, log, audit record or file of the box's, in no form that shows it."""
    secret = b"correct horse battery staple"
    assert edgefn("secret", "set", "registry", stdin=secret + b"\n").code == 0
    (tmp_path / "key.pem").write_bytes(secret * 2)
    kept = edgefn("secret", "set", "signing-key", "--file", "key.pem", "--json").json
    assert set(kept) == {"name", "sealed_by", "set_at"}
    listed = edgefn("secret", "list", "--json").json["secrets"]
    assert [one["name"] for one in listed] == ["registry", "signing-key"]
    shown = edgefn("secret", "list").stdout + edgefn("box", "audit").stdout
    assert b"signing-key" in shown
    on_disk = b"".join(path.read_bytes() for path in real_box.home.rglob("*") if path.is_file())
    assert b"horse" not in shown + on_disk
    assert edgefn("secret", "remove", "registry").code == 0
    gone = edgefn("secret", "remove", "registry")
    assert (gone.code, "with `edgefn secret list`" in gone.stderr) == (2, True)
    edgefn("secret", "remove", "signing-key")
    assert edgefn("secret", "set", "empty", stdin=b"").code == 2


def test_a_secret_is_never_said_on_the_command_line(edgefn: Edgefn, real_box: LocalBox) -> None:
    """Where anybody may read it; nor is a value in the words of an error."""
    refused = edgefn("secret", "set", "registry", "battery staple")
    assert refused.code == 2
    assert edgefn("secret", "list", "--json").json["secrets"] == []
    wrong = edgefn("secret", "set", "no/name", stdin=b"battery staple")
    assert wrong.code in (1, 2)
    assert "battery" not in wrong.stderr + edgefn("--debug", "secret", "set", "no/name", stdin=b"battery staple").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("registry", "battery staple"),
        ("registry", "--battery staple"),
        ("registry", "--json", "battery", "staple"),
        ("registry", "--value=battery staple"),
        ("registry", "--file", "battery staple"),
        ("registry=battery",),
    ],
)
@pytest.mark.parametrize("before", [(), ("--debug",)], ids=["plain", "debug"])
def test_a_value_on_the_command_line_is_not_repeated(
    edgefn: Edgefn, box: StandIn, words: tuple[str, ...], before: tuple[str, ...]
) -> None:
    """Neither on stdout nor on stderr, which logs of CI keep; the error says where a value goes, and none is sent."""
    refused = edgefn(*before, "secret", "set", *words, stdin=b"battery staple")
    assert refused.code == 2
    assert "battery" not in refused.stdout.decode() + refused.stderr
    assert "on stdin, or an existing file with --file" in refused.stderr
    assert box.seen == []


def test_a_name_that_is_left_out_is_said(edgefn: Edgefn) -> None:
    """Though nothing of the command line is repeated, what is wrong with it is."""
    refused = edgefn("secret", "set")
    assert (refused.code, "'NAME'" in refused.stderr, "--help" in refused.stderr) == (2, True, True)


def test_what_a_box_would_start_with_is_shown(edgefn: Edgefn, tmp_path: Path) -> None:
    """Each option with where it comes from; a key that there is not is an error, and nothing starts."""
    (tmp_path / "box.toml").write_text('port = 9001\nallow_missing = ["tcp"]\n')
    options = edgefn("box", "check", "--config", "box.toml", "--json").json["options"]
    assert (options["port"]["value"], "box.toml" in options["port"]["source"]) == (9001, True)
    assert options["allow_missing"]["value"] == ["tcp"]
    assert options["require_isolation"]["source"] == "default"
    assert "9001" in edgefn("box", "check", "--config", "box.toml").stdout.decode()
    (tmp_path / "box.toml").write_text("prot = 9001\n")
    wrong = edgefn("box", "check", "--config", "box.toml")
    assert (wrong.code, "prot" in wrong.stderr) == (2, True)
