"""The box under a service manager: it says when it is ready, alive and leaving, and takes the port it is given."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.box import RunningBox
from tests.e2e.bundles import REPOSITORY, Bundles
from tests.e2e.manager import Manager
from tests.e2e.processes import all_gone, descendants

UNITS = REPOSITORY / "deploy" / "systemd"

HAND_OVER = """
import os, sys
descriptor, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
os.close(int(descriptor))
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(command[0], command)
"""
"""As systemd starts a service whose socket it opened: the socket as descriptor 3, and the pid that it is meant for."""


def listener() -> socket.socket:
    """A bound and listening socket on a free port, as a .socket unit opens it."""
    opened = socket.create_server(("127.0.0.1", 0), backlog=16)
    opened.set_inheritable(True)
    return opened


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_ready_is_said_when_the_port_answers(tmp_path: Path, abstract: bool) -> None:
    """At READY=1 the port answers, and STOPPING=1 comes on SIGTERM; the manager's socket may be an abstract one."""
    with (
        Manager(None if abstract else tmp_path / "notify") as manager,
        RunningBox(tmp_path / "box", before=["env", f"NOTIFY_SOCKET={manager.address}"], wait=False) as box,
    ):
        manager.hear("READY=1", seconds=30)
        assert httpx.get(f"{box.announced()}/healthz").status_code == 200
        assert f"STATUS=listening on {box.announced()}" in manager.heard
        assert "STOPPING=1" not in manager.heard
        box.ask_to_leave()
        manager.hear("STOPPING=1")
        assert box.wait() == 0
    assert manager.heard.count("READY=1") == 1
    assert "WATCHDOG=1" not in manager.heard, "nobody asked for it"


def test_the_watchdog_hears_a_loop_that_turns_and_no_other(tmp_path: Path) -> None:
    """With WatchdogSec the box says at least every half of it that it is alive; a box that is stopped says nothing."""
    variables = ["WATCHDOG_USEC=400000"]
    with Manager(tmp_path / "notify") as manager:
        before = ["env", f"NOTIFY_SOCKET={manager.address}", *variables]
        with RunningBox(tmp_path / "box", before=before) as box:
            for _ in range(3):
                manager.hear("WATCHDOG=1", seconds=5)
            os.kill(box.pid, signal.SIGSTOP)
            try:
                manager.forget()
                assert manager.hears_nothing(1.0)
            finally:
                os.kill(box.pid, signal.SIGCONT)
            manager.hear("WATCHDOG=1", seconds=5)


def test_a_hangup_ends_no_service_and_none_of_its_processes(tmp_path: Path, bundles: Bundles) -> None:
    """`systemctl kill -s HUP` goes to every process of the unit, with TLS or without."""
    with (
        Manager(tmp_path / "notify") as manager,
        RunningBox(tmp_path / "box", before=["env", f"NOTIFY_SOCKET={manager.address}"]) as box,
    ):
        box.deploy(bundles.of("counts"))
        assert box.call("counts", seconds=0.0) == 1
        for process in descendants(box.pid):
            process.send_signal(signal.SIGHUP)
        os.kill(box.pid, signal.SIGHUP)
        box.until_words("nothing to reload without TLS")
        assert box.call("counts", seconds=0.0) == 2
        assert "the zygote" not in box.words()


def test_the_end_of_its_terminal_is_that_of_a_box_that_was_started_by_hand(tmp_path: Path) -> None:
    """It drains, and ends what it started; not where it was told to stay, as nohup(1) does."""
    with RunningBox(tmp_path / "kept", before=["env", "--ignore-signal=HUP"]) as box:
        os.kill(box.pid, signal.SIGHUP)
        assert box.http.get("/readyz").status_code == 200
    with RunningBox(tmp_path / "box", before=["env", "--default-signal=HUP"]) as box:  # whoever runs the tests
        below = descendants(box.pid)
        os.kill(box.pid, signal.SIGHUP)
        assert box.wait() == 0
        all_gone(below)


def test_no_child_can_speak_for_the_box(tmp_path: Path, bundles: Bundles) -> None:
    """Neither the manager's socket nor the listening one is in the environment or the descriptors of any child."""
    with Manager(tmp_path / "notify") as manager, listener() as opened:
        before = [
            *("env", f"NOTIFY_SOCKET={manager.address}", "WATCHDOG_USEC=30000000", "LISTEN_FDS=1"),
            *(sys.executable, "-c", HAND_OVER, str(opened.fileno())),
        ]
        with RunningBox(tmp_path / "box", before=before, descriptors=[opened.fileno()]) as box:
            box.deploy(bundles.of("brief"))
            box.call("brief")
            box.until("a template is parked", "brief", lambda status: bool(status.template))
            children = descendants(box.pid)
            assert len(children) >= 3, "zygote, template and instance"
            for child in children:
                assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID"} & child.environ().keys()
                assert f"socket:[{os.fstat(opened.fileno()).st_ino}]" not in descriptors(child)


def descriptors(process: psutil.Process) -> list[str]:
    """What the process has open, as the kernel names it."""
    return [os.readlink(path) for path in Path(f"/proc/{process.pid}/fd").iterdir()]


def test_a_connection_made_before_the_box_starts_is_answered(tmp_path: Path) -> None:
    """With socket activation requests wait for the box, and for the next one after it, and none is refused."""
    with listener() as opened:
        port = opened.getsockname()[1]
        before = ["env", "LISTEN_FDS=1", sys.executable, "-c", HAND_OVER, str(opened.fileno())]
        box = RunningBox(tmp_path / "box", before=before, descriptors=[opened.fileno()])
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as early:
                early.sendall(b"GET /healthz HTTP/1.1\r\nhost: box\r\n\r\n")
                with box:
                    assert early.recv(12) == b"HTTP/1.1 200"
                    assert box.url == f"http://127.0.0.1:{port}"


def test_a_socket_meant_for_another_process_is_left_alone(tmp_path: Path) -> None:
    """LISTEN_FDS with the pid of another process is not for the box: it listens on a port of its own."""
    with RunningBox(tmp_path / "box", before=["env", "LISTEN_FDS=1", "LISTEN_PID=1"]) as box:
        assert box.http.get("/healthz").status_code == 200


def test_a_socket_by_its_number(tmp_path: Path) -> None:
    """`--fd` listens on a socket that was handed over."""
    with listener() as opened:
        options = ["--fd", str(opened.fileno())]
        with RunningBox(tmp_path / "box", options=options, descriptors=[opened.fileno()]) as box:
            assert box.url == f"http://127.0.0.1:{opened.getsockname()[1]}"


def test_a_descriptor_that_is_no_socket(tmp_path: Path) -> None:
    """One line that says so, and the exit code of a wrong command line: a manager need not try again."""
    command = [sys.executable, "-m", "edgefn_runtime", "--home", str(tmp_path / "box"), "--fd", "0"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "cannot listen on descriptor 0" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_manager_that_is_not_there_does_no_harm(tmp_path: Path) -> None:
    """A NOTIFY_SOCKET that nobody reads is a line in the log and nothing else."""
    before = ["env", f"NOTIFY_SOCKET={tmp_path}/nobody", "WATCHDOG_USEC=200000"]
    with RunningBox(tmp_path / "box", before=before) as box:
        assert box.http.get("/healthz").status_code == 200
        below = descendants(box.pid)
        assert box.stop() == 0
        all_gone(below)
    assert "of READY=1" in box.words()


@pytest.mark.needs_torch
def test_a_backup_is_enough(tmp_path: Path, bundles: Bundles) -> None:
    """Token, database and blobs of a stopped box, in an empty home, are that box again, as docs/operations.md says."""
    with RunningBox(tmp_path / "lost") as lost:
        lost.deploy(bundles.of("linear"))
        token = lost.token
    home = tmp_path / "restored"
    home.mkdir()
    for name in ("token", "box.db"):
        shutil.copy(lost.home / name, home)
    shutil.copytree(lost.home / "blobs", home / "blobs")
    with RunningBox(home) as restored:
        assert restored.token == token
        assert restored.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]


def test_systemd_takes_the_units(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """`systemd-analyze verify` has nothing to say of them, once the program is where the unit says."""
    program = tmp_path / "edgefn-box"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = []
    for unit in UNITS.iterdir():
        text = unit.read_text(encoding="utf-8").replace("/opt/edgefn/bin/edgefn-box", str(program))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
        units.append(str(tmp_path / unit.name))
    command = [tool("systemd-analyze"), "verify", "--man=no", *sorted(units)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
