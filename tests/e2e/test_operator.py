"""An operator's box: what functions may have by his word alone, who did what, and a mode for development."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from edgefn.api.audit import AuditRecord
from tests.e2e.box import Refused, RunningBox
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually


def audited(box: RunningBox, *members: str) -> list[tuple[str, ...]]:
    """Those members of each record of the box's audit log."""
    text = box.admin("GET", "audit", params={"lines": 1000}).raise_for_status().text
    records = [msgspec.json.decode(line, type=AuditRecord) for line in text.splitlines()]
    return [tuple(str(getattr(record, member)) for member in members) for record in records]


def test_the_network_is_the_operators_to_give(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """Refused with the command; granted, it reaches the network; revoked, no process of it is left and it says why."""
    box = new_box()
    with pytest.raises(Refused, match="run on this box: `edgefn box allow rings network`"):
        box.deploy(bundles.of("rings"))
    given = box.admin("POST", "functions/rings/grants", json={"kind": "network"}).raise_for_status().json()
    assert given["grants"][0]["kind"] == "network"
    box.deploy(bundles.of("rings"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert box.call("rings", port=server.getsockname()[1]) == server.getsockname()[1]
    assert box.status("rings").asked == ["network"]
    taken = box.admin("POST", "functions/rings/grants/revoke", json={"kind": "network"}).raise_for_status().json()
    assert taken["grants"] == []
    refused = box.invoke("rings", port=1)
    assert (refused.status_code, refused.json()["error"]) == (503, "Unavailable")
    assert "edgefn box allow rings network" in refused.json()["detail"]
    assert box.status("rings").instances == []
    box.stop()
    box.start()
    assert box.invoke("rings", port=1).status_code == 503, "a restart forgets no revocation"
    box.admin("POST", "functions/rings/grants", json={"kind": "network"}).raise_for_status()
    with socket.create_server(("127.0.0.1", 0)) as server:
        box.call("rings", port=server.getsockname()[1])
    told = audited(box, "action", "function", "result")
    assert [one for one in told if one[1] == "rings" and one[0] != "fail"] == [
        ("deploy", "rings", "refused"),
        ("allow", "rings", "ok"),
        ("deploy", "rings", "ok"),
        ("revoke", "rings", "ok"),
        ("allow", "rings", "ok"),
    ]


def test_wrong_tokens_and_failing_functions_are_in_the_audit_log(
    new_box: Callable[[], RunningBox], bundles: Bundles
) -> None:
    """With the address they came from, and the reason; the box's own log has the same lines."""
    box = new_box()
    assert box.http.get("/admin/box", headers={"authorization": "Bearer wrong"}).status_code == 401
    box.deploy(bundles.of("leaves"))
    for _ in range(6):
        box.invoke("leaves", how="os._exit")
    eventually("the function has failed", lambda: [one for one in audited(box, "action") if one == ("fail",)])
    told = audited(box, "who", "address", "action", "function")
    assert ("", "127.0.0.1", "wrong token", "") in told
    assert ("home", "127.0.0.1", "deploy", "leaves") in told
    assert ("box", "", "fail", "leaves") in told
    assert "wrong token, by nobody at 127.0.0.1" in box.words()
    assert box.token not in box.words()


def test_a_failing_disk_of_logs_stops_no_deployment(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """The audit log is a record and no gate."""
    box = new_box()
    for path in box.home.joinpath("logs").iterdir():
        path.unlink()
    box.home.joinpath("logs").rmdir()
    box.deploy(bundles.of("echo"))
    assert box.call("echo", n=1) == {"n": 2}


@pytest.fixture
def development(tmp_path: Path) -> Iterator[RunningBox]:
    """A box in development mode."""
    with RunningBox(tmp_path / "dev", options=["--dev"]) as box:
        yield box


def test_development_mode_grants_and_says_so(development: RunningBox, bundles: Bundles) -> None:
    """In the answer to the deployment, in the box's description, in the list of grants and in its log."""
    development.deploy(bundles.of("rings"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        development.call("rings", port=server.getsockname()[1])
    assert development.info().development
    (grant,) = development.admin("GET", "grants").json()["grants"]
    assert (grant["kind"], grant["granted_by"]) == ("network", "--dev")
    assert "development mode" in development.words()


@pytest.mark.parametrize(
    ("variables", "options", "why"),
    [
        ({}, ["--host", "0.0.0.0"], "--dev needs a loopback address, and 0.0.0.0 is not one"),
        ({"NOTIFY_SOCKET": "/nowhere"}, [], "--dev is not for a service"),
        ({"SYSTEMD_EXEC_PID": "self"}, [], "--dev is not for a service"),
    ],
)
def test_development_mode_is_for_a_box_that_somebody_started_by_hand(
    tmp_path: Path, variables: dict[str, str], options: list[str], why: str
) -> None:
    """Not for other machines, and not in a unit: one line, and the exit code after which systemd tries no more."""
    start = "import os, sys; os.environ.update({k: str(os.getpid()) for k, v in os.environ.items() if v == 'self'}); "
    start += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = [sys.executable, "-c", start, "-m", "edgefn_runtime", "--home", str(tmp_path / "box"), "--port", "0"]
    done = subprocess.run(
        [*command, "--dev", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | variables,
    )
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_no_core_is_dumped(deployed: Callable[[str], RunningBox]) -> None:
    """Neither to a file nor to a program: of the box, the zygote and a function. 1 is the kernel's mark for that."""
    box = deployed("echo")
    box.call("echo", n=1)
    for pid in box.pids():
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.findall(r"Max core file size\s+(\S+)\s+(\S+)", limits) == [("1", "1")], limits
