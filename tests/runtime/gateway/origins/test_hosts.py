"""The names that a machine has, as its files tell them."""

from __future__ import annotations

from pathlib import Path

from edgefn_runtime.gateway.origins.hosts import Hosts, own_names


def test_the_machines_own_names(tmp_path: Path) -> None:
    """The host's name, in .local, below each search domain, and the names on its line of /etc/hosts alone."""
    (tmp_path / "hosts").write_text(
        "127.0.0.1 localhost\n127.0.1.1 line-3.factory.example line-3 # the machine\n"
        "0.0.0.0 ads.attacker.example\n127.0.0.1 blocked.attacker.example\n192.0.2.5 printer\n"
    )
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\nsearch lan home.arpa.\n")
    names = own_names(tmp_path, "line-3")
    expected = {"line-3", "line-3.local", "line-3.lan", "line-3.home.arpa", "line-3.factory.example"}
    assert set(names) - {"localhost", "ip6-localhost", "localhost.localdomain"} == expected
    assert "line-3" in own_names(tmp_path / "nothing", "Line-3.Factory.example.")
    assert own_names(tmp_path / "nothing", "")


def test_what_is_remembered_is_bounded() -> None:
    """A client that calls the box by a thousand names that are let in fills nothing."""
    hosts = Hosts(["*.example"])
    for number in range(5000):
        hosts.check(b"a%d.example" % number)
    assert len(hosts.known) <= 1024
