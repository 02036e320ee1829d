"""A process that holds tokens and users' data leaves no core file, and shows nobody its memory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.system import core_dumps

USER = 65_533
_BECOME = f"import os\nos.geteuid() or os.setuid({USER})\n"
_BE_SEEN = "import ctypes; seen = ctypes.CDLL(None).prctl"


@contextlib.contextmanager
def waiting(*steps: str) -> Iterator[int]:
    """The pid of a process, of another user where this one is root, that has taken `steps` and does nothing more."""
    load = f"import sys; from edgefn.system import core_dumps\n{_BE_SEEN}\n"  # before it may not read these files
    seen = "seen(4, 1, 0, 0, 0)"  # a change of user has closed it already (PR_SET_DUMPABLE)
    code = load + _BECOME + "\n".join((seen, *steps, "print('there', flush=True)", "sys.stdin.read()"))
    environment = {"PYTHONPATH": str(Path(core_dumps.__file__).parents[2]), "SECRET": "horse"}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/") as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"there\n"
            yield child.pid
        finally:
            child.kill()


@pytest.mark.parametrize("sealed", [False, True])
def test_a_sealed_process_is_closed_to_others_of_its_user(sealed: bool) -> None:
    """Its environment and memory, as its user's other processes see them: open before, closed then."""
    with waiting("core_dumps.seal_memory()" if sealed else "pass") as pid:
        look = "\n".join(
            (
                "for name in ('environ', 'mem'):",
                f"    try: open('/proc/{pid}/' + name, 'rb').close(); print('read', flush=True)",
                "    except PermissionError: print('refused', flush=True)",
            )
        )
        command = [sys.executable, "-c", _BECOME + look]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    assert done.stdout.split() == (["refused"] * 2 if sealed else ["read"] * 2)


def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    """Whatever the limit was before: the kernel says that it dumped nothing."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.chdir(tmp_path)
            _, hard = resource.getrlimit(resource.RLIMIT_CORE)
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            core_dumps.forbid()
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        os._exit(9)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []
