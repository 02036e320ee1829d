"""The opens of a process, native ones included, as the observer tells them; each in a process of its own, for good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgefn.system import file_opens

BEGIN = """
import ctypes, json, os, sqlite3, subprocess, sys, threading
from edgefn.system import file_opens
try:
    opens = file_opens.observe(("/usr/", "/lib", "/etc/ld", sys.prefix, sys.base_prefix))
except OSError as error:
    sys.exit(f"NONE {error}")
opens.drain()
"""

WAYS = {
    "python": "open({path!r}).read()",
    "native": "ctypes.CDLL(None).fopen({path!r}.encode(), b'r')",
    "mapped": "import mmap; mmap.mmap(os.open({path!r}, os.O_RDONLY), 0, prot=mmap.PROT_READ)",
    "sqlite": "sqlite3.connect({path!r}).execute('pragma schema_version')",
    "thread": "thread = threading.Thread(target=lambda: open({path!r}).read()); thread.start(); thread.join()",
    "program": "subprocess.run(['cat', {path!r}], check=True, stdout=subprocess.DEVNULL)",
    "relative": "os.chdir(os.path.dirname({path!r})); open(os.path.basename({path!r})).read()",
    "below a folder": "at = os.open(os.path.dirname({path!r}), os.O_RDONLY | os.O_DIRECTORY)\n"
    "os.open(os.path.basename({path!r}), os.O_RDONLY, dir_fd=at)",
    "forked": "os.waitpid(os.fork() or (open({path!r}).read(), os._exit(0)), 0)",
    "written to as well": "open({path!r}, 'r+').read()",
}


def run(script: str) -> list[str]:
    """What the observer told at the script's end."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BEGIN}{script}\nprint(json.dumps(opens.drain()))"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.stderr.startswith("NONE"):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "weights.bin").write_text("numbers")
    return tmp_path / "weights.bin"


@pytest.mark.parametrize("way", WAYS)
def test_a_read_is_seen_whoever_makes_it(file: Path, way: str) -> None:
    """From Python, C, another thread or another program; the path is whole however it was given."""
    if way == "sqlite":
        file.write_bytes(b"")
    assert str(file) in run(WAYS[way].format(path=str(file)))


def test_what_a_process_made_itself_is_no_read(file: Path) -> None:
    """A file that it created or emptied before; one that it only appended to is a read, for it was there before."""
    made, emptied, lengthened = (str(file.with_name(name)) for name in ("made", "weights.bin", "log"))
    Path(lengthened).write_text("before")
    script = f"""
for path, mode in (({made!r}, "x"), ({emptied!r}, "w"), ({lengthened!r}, "a")):
    with open(path, mode) as file:
        file.write("text")
    open(path).read()
"""
    assert run(script) == [lengthened]


def test_folders_and_what_is_not_there_disturb_nobody(file: Path) -> None:
    """Listing a folder is no read; an open that fails fails as it always did."""
    script = f"""
os.listdir({str(file.parent)!r})
try:
    open({str(file.with_name("missing"))!r})
except FileNotFoundError as error:
    assert error.errno == 2
"""
    assert run(script) == [str(file.with_name("missing"))]


def test_paths_that_are_passed_over_are_not_told_unless_they_lead_out(file: Path) -> None:
    """`/usr/..` is not below `/usr`."""
    assert run("open('/usr/lib/os-release').read()") == []
    assert run(f"open('/usr/..{file}').read()") == [str(file)]


def test_each_is_told_once_and_then_no_more(file: Path) -> None:
    """A second drain has what was read since the first."""
    script = f"open({str(file)!r}); open({str(file)!r}); first = opens.drain(); assert first == [{str(file)!r}], first"
    assert run(script) == []


def test_the_observer_outlives_an_interrupt_and_ends_with_the_last_process(file: Path) -> None:
    """Ctrl-C reaches the group; an open afterwards works. When all have ended nothing is left of the observer."""
    script = f"""{BEGIN}
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(opens.observer, flush=True)
sys.stdin.readline()
open({str(file)!r}).read()
print(opens.drain() == [{str(file)!r}], flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    if not (line := process.stdout.readline()):
        pytest.skip(process.communicate()[1])
    observer = int(line)
    os.killpg(process.pid, signal.SIGINT)
    os.kill(observer, signal.SIGINT)
    told, _ = process.communicate("go on\n", timeout=60)
    assert told.strip() == "True"
    deadline = time.monotonic() + 20
    while Path(f"/proc/{observer}").exists() and "zombie" not in Path(f"/proc/{observer}/status").read_text():
        assert time.monotonic() < deadline, "the observer is still there"
        time.sleep(0.01)


def test_it_is_nobodys_child() -> None:
    """Code that waits for all its children does not wait for the observer."""
    script = """
try:
    os.wait()
except ChildProcessError:
    pass
"""
    assert run(script) == []


def test_a_machine_without_it_raises_and_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """OSError where the numbers are not known; nothing was started."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(OSError, match="riscv64"):
        file_opens.observe()
