"""The zygote's forks when what they need dies or is not there: another is made, and nothing is found out by a death."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from edgefn_runtime.child.fork import forks, zygote
from edgefn_runtime.child.fork.forks import Forks

SCRIPT = """
import os, signal, socket
from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork.forks import Forks

box = os.getpid()
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
reader, writer = os.pipe()
if os.fork() == 0:
    forks = Forks(Control(theirs.detach()), box)

    def killed():
        forks.prepare()
        if forks._ahead is None:
            os.write(writer, b"none to be had")
            os._exit(0)
        kin = open(f"/proc/{box}/task/{box}/children").read().split()
        first = max(int(pid) for pid in kin if int(pid) != os.getpid())
        os.kill(first, signal.SIGKILL)
        while open(f"/proc/{first}/stat").read().rpartition(")")[2].split()[0] != "Z":
            pass

    killed()
    os.write(writer, str(forks.probe().get("own_pids")).encode())
    killed()
    forks.fork(lambda: os.write(writer, b" born"), [writer])
    os._exit(0)
os.close(writer)
theirs.close()
said = b""
while piece := os.read(reader, 100):
    said += piece
print(said.decode())
"""


LEAVES = """
import os, socket, subprocess, sys
for words in range(4):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-P", "-m", "edgefn_runtime.child.fork.zygote", str(theirs.fileno())]
    zygote = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    for _ in range(words):
        ours.recv(1 << 16)
    ours.close()
    print(zygote.wait(30))
"""


class _Namespace:
    """Stands in for a PID namespace; `dead` are those whose first process has ended, by number."""

    made = 0
    closed = 0
    dead: tuple[int, ...] = ()

    def __init__(self, box: Any) -> None:
        type(self).made += 1
        self.number = type(self).made

    @property
    def lives(self) -> bool:
        return self.number not in self.dead

    def enter(self) -> None:
        """Do nothing: whoever is born is born here."""

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> type[_Namespace]:
    kind = type("Namespace", (_Namespace,), {})
    monkeypatch.setattr(forks, "ProcessNamespace", kind)
    return kind


class _Box:
    """Stands in for the control socket; `gone` as the box is."""

    def __init__(self, *, gone: bool) -> None:
        self.gone = gone

    def has_gone(self) -> bool:
        return self.gone


def _forks(*, gone: bool = False) -> Forks:
    box: Any = _Box(gone=gone)
    return Forks(box, os.getpid())


def test_a_probe_that_dies_has_found_nothing_out(namespace: type[_Namespace], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again in another namespace; one that always dies ends the zygote, and is no box without a sandbox."""
    answers: list[dict[str, bool | str]] = [{}, {"files": True}]
    monkeypatch.setattr(forks, "probe", lambda enter, tell: answers.pop(0))
    assert _forks().probe() == {"files": True}
    assert namespace.closed == 1
    answers += [{}] * 10
    with pytest.raises(OSError, match="cannot determine what this machine enforces"):
        _forks().probe()
    assert namespace.made - namespace.closed == 1, "the one that the first forks keep"


def test_a_probe_that_dies_with_the_box_is_told_to_nobody(
    namespace: type[_Namespace], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A box that refuses to start says why in one line; its zygote ends at the first such probe, without a word."""

    def dies(enter: object, tell: Callable[[Exception], object]) -> dict[str, bool | str]:
        tell(OSError("no namespace"))
        return {}

    monkeypatch.setattr(forks, "probe", dies)
    with pytest.raises(ConnectionAbortedError):
        _forks(gone=True).probe()
    assert (namespace.made, capsys.readouterr().err) == (1, "")
    with pytest.raises(ChildProcessError):
        _forks().probe()
    assert "no namespace" in capsys.readouterr().err


def test_a_box_that_leaves_after_any_word_leaves_a_silent_zygote() -> None:
    """Before the first, and as the zygote finds out what there is, tells it, and has its first spare child."""
    done = subprocess.run([sys.executable, "-c", LEAVES], check=False, capture_output=True, text=True, timeout=100)
    assert (done.stdout.split(), done.stderr) == (["0"] * 4, "")


def test_a_namespace_whose_first_process_has_died_is_left(namespace: type[_Namespace]) -> None:
    """Nobody can be born in it: the next fork has another."""
    namespace.dead = (1,)
    made = _forks()
    for _ in range(3):
        made.prepare()
    assert (namespace.made, namespace.closed) == (2, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a PID namespace by itself")
def test_the_first_process_is_killed_and_forks_go_on() -> None:
    """As above with the kernel's own: the probe finds out what there is, and the child is born."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True, timeout=30)
    if done.stdout == "none to be had\n":
        pytest.skip("the kernel gives no PID namespace")
    assert done.stdout == "True born\n", done.stderr


def test_an_order_without_a_process_ends_no_zygote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no process or memory for it; the next order is carried out."""
    seen: list[object] = []

    class Orders:
        def __init__(self) -> None:
            self.left = ["one", "two"]

        def waits(self, seconds: float) -> bool:
            return True

        def receive(self) -> tuple[object, list[int]] | None:
            return (self.left.pop(0), []) if self.left else None

    def spawn(order: object, *_: object) -> None:
        seen.append(order)
        if order == "one":
            raise BlockingIOError("no process")

    monkeypatch.setattr(zygote, "_spawn", spawn)
    control: Any = Orders()
    zygote._serve(control, [], _forks(), {}, [])
    assert seen == ["one", "two"]
