"""What a box is told of the proxies before it."""

from __future__ import annotations

import pytest

from edgefn.errors import SpecError
from edgefn_runtime.__main__ import _configuration
from edgefn_runtime.options import hosts, networks, origins, root_path
from edgefn_runtime.settings import DEFAULT_TRUSTED_PROXIES


@pytest.mark.parametrize(
    ("text", "path"), [("", ""), ("/", ""), ("edge", "/edge"), ("/edge/", "/edge"), ("//a/b//", "/a/b")]
)
def test_a_root_path_has_a_slash_before_and_none_behind(text: str, path: str) -> None:
    """However it is written."""
    assert root_path(text, "--root-path") == path


@pytest.mark.parametrize("text", ["/a b", "/a?b", "/a#b", '/"', "/<x>", "/ä", "/a\\b", "/a\n"])
def test_what_no_link_can_hold_is_no_root_path(text: str) -> None:
    """The error says what one looks like."""
    with pytest.raises(SpecError, match=r"e\.g\. /edge"):
        root_path(text, "--root-path")


def test_trusted_proxies_are_addresses_and_networks() -> None:
    """Each one is checked; none at all trusts nobody."""
    assert networks("10.0.0.0/8, ::1,192.0.2.1", "x") == ("10.0.0.0/8", "::1", "192.0.2.1")
    assert networks("", "x") == ()
    for wrong in ("proxy.local", "10.0.0.1/8", "*"):
        with pytest.raises(SpecError, match="addresses or networks"):
            networks(wrong, "x")


def test_names_and_origins_that_are_let_in() -> None:
    """Names without a port, origins with a scheme; each one is checked."""
    assert hosts("box.example, *.below.example,*", "x") == ("box.example", "*.below.example", "*")
    for wrong in ("box.example:80", "http://box", "a b", "*.", "box/"):
        with pytest.raises(SpecError, match="without a port"):
            hosts(wrong, "x")
    assert origins("HTTPS://App.example/, null,*", "x") == ("https://app.example", "null", "*")
    for wrong in ("app.example", "https://", "https://app.example/path", "https://a b"):
        with pytest.raises(SpecError, match="give an origin"):
            origins(wrong, "x")


def test_options_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option goes before its variable; by default this machine is trusted."""

    def settings(*arguments: str) -> tuple[str, tuple[str, ...]]:
        found = _configuration([*arguments])[0].settings
        return found.root_path, found.trusted_proxies

    assert settings() == ("", DEFAULT_TRUSTED_PROXIES)
    monkeypatch.setenv("EDGEFN_ROOT_PATH", "/from/env")
    monkeypatch.setenv("EDGEFN_TRUSTED_PROXIES", "")
    assert settings() == ("/from/env", ())
    assert settings("--root-path", "given")[0] == "/given"
    with pytest.raises(SystemExit):
        settings("--trusted-proxies", "everybody")
