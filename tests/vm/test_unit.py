"""The box that systemd started by our unit, as the machine's first boot left it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edgefn.bundle.oci.layout import Bundle
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually
from tests.vm.unit import HOME, edgefn

pytestmark = pytest.mark.vm


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], check=False, capture_output=True, text=True).stdout.strip()


def layout_of(bundle: Bundle, bundles: Bundles) -> str:
    return f"{bundles.folder / 'layout'}:{bundle.manifest_digest}"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """The box's port, once it answers."""
    with httpx.Client(base_url="http://127.0.0.1:8080", timeout=300) as found:
        eventually("the box is ready", lambda: found.get("/readyz").status_code == 200, seconds=300)
        yield found


def answer(client: httpx.Client, n: int) -> int:
    """What `echo` answers; it is asked again while the machine, which is slow, has not started an instance in time."""

    def ask() -> int:
        found = client.post("/fn/echo", json={"n": n})
        assert found.status_code in (200, 503, 504), found.text
        return int(found.json()["n"]) if found.status_code == 200 else 0

    return eventually("echo answers", ask, seconds=300)


def test_the_unit_runs_the_box(client: httpx.Client) -> None:
    """Active, with a home that is its owner's alone, in development mode by no means."""
    assert systemctl("is-active", "edgefn-box.service") == "active"
    assert HOME.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in HOME.iterdir()} == {0}
    info = edgefn("box", "info", "--json")
    assert '"development": false' in info.stdout, info.stderr


def test_every_layer_of_this_kernel_is_there(client: httpx.Client) -> None:
    """Under the unit's limits, which systemd put on: what Debian 12 lacks are TCP and signals by Landlock, no more."""
    token = (HOME / "token").read_text().strip()
    box = client.get("/admin/box", headers={"authorization": f"Bearer {token}"}).json()
    missing = {layer for layer, how in box["isolation"].items() if how is not True}
    assert missing <= {"tcp", "signals"}, box["isolation"]
    main_pid = systemctl("show", "--property=MainPID", "--value", "edgefn-box.service")
    status = Path(f"/proc/{main_pid}/status").read_text()
    assert int(re.findall(r"CapBnd:\s*(\w+)", status)[0], 16).bit_count() == 10


def test_functions_are_deployed_called_granted_and_audited(client: httpx.Client, bundles: Bundles) -> None:
    """The whole way, by the CLI, against the unit's box."""
    done = edgefn("deploy", "--bundle", layout_of(bundles.of("echo"), bundles))
    assert done.returncode == 0, done.stderr
    assert answer(client, 41) == 42
    rings = layout_of(bundles.of("rings"), bundles)
    refused = edgefn("deploy", "--bundle", rings)
    assert (refused.returncode, "edgefn box allow rings network" in refused.stderr) == (9, True)
    assert edgefn("box", "allow", "rings", "network").returncode == 0
    assert edgefn("deploy", "--bundle", rings).returncode == 0
    assert client.post("/fn/rings", json={"port": 8080}).json() == 8080
    journal = subprocess.run(
        ["journalctl", "-u", "edgefn-box", "--no-pager"], check=True, capture_output=True, text=True
    )
    assert "edgefn.audit: allow, rings" in journal.stdout


DROP_IN = Path("/etc/systemd/system/edgefn-box.service.d/port.conf")


def test_a_device_is_the_operators_twice(client: httpx.Client, bundles: Bundles) -> None:
    """A granted one opens where a drop-in of the unit allows it, too; without, the kernel refuses it."""
    assert edgefn("box", "allow", "listens", "device", "/dev/ttyS0").returncode == 0
    done = edgefn("deploy", "--bundle", layout_of(bundles.of("listens"), bundles))
    assert done.returncode == 0, done.stderr
    assert _listens(client) == "EPERM"
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\nDeviceAllow=/dev/ttyS0 rw\n")
    try:
        systemctl("daemon-reload")
        systemctl("restart", "edgefn-box.service")
        eventually("the box is ready", lambda: _is_ready(client), seconds=300)
        assert _listens(client) == "opened"
    finally:
        DROP_IN.unlink()
        systemctl("daemon-reload")
        systemctl("restart", "edgefn-box.service")
        eventually("the box is ready", lambda: _is_ready(client), seconds=300)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _listens(client: httpx.Client) -> str:
    def ask() -> str:
        found = client.post("/fn/listens", json={})
        assert found.status_code in (200, 503, 504), found.text
        return str(found.json()) if found.status_code == 200 else ""

    return eventually("it answers", ask, seconds=300)


def test_it_serves_again_after_a_restart_and_a_kill(client: httpx.Client) -> None:
    """systemd holds the port: a request that comes meanwhile is answered, with what was deployed."""
    subprocess.run(["systemctl", "restart", "edgefn-box.service"], check=True)
    assert answer(client, 1) == 2
    box = Path("/proc", systemctl("show", "--property=MainPID", "--value", "edgefn-box.service"))
    subprocess.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "edgefn-box.service"], check=True)
    eventually("it is gone, and takes no more requests with it", lambda: not box.exists())
    assert answer(client, 2) == 3


def test_a_function_ends_at_its_own_memory(client: httpx.Client, bundles: Bundles) -> None:
    """Control groups of version 2, below the unit's: the hungry function ends, the box and the others do not."""
    assert edgefn("deploy", "--bundle", layout_of(bundles.of("hungry"), bundles)).returncode == 0
    assert client.post("/fn/hungry", json={"mebibytes": 4096}).status_code in (500, 502)
    assert answer(client, 1) == 2
    assert systemctl("show", "--property=NRestarts", "--value", "edgefn-box.service") in ("0", "1")
