"""A device that is given to a function is the one that was looked at, whatever its name means a moment later."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from edgefn.system import nodes
from tests.runtime import devices

ALLOWED, FORBIDDEN = os.makedev(1, 8), os.makedev(1, 1)
SWAP_S = 1.0
BIND = """
import os, sys
from edgefn.system.nodes import open_node
from edgefn.system.syscalls import unshare
from edgefn_runtime.child.sandbox import mounts
from edgefn_runtime.child.sandbox.root import Root
path, kind = sys.argv[1:]
unshare(0x00020000)
mounts.follow_nobody()
root, node = Root(processes=False), open_node(path)
os.rename(path, path + ".gone") if kind == "renamed" else os.unlink(path)
os.symlink("/dev/mem", path)
try:
    root.show_device(node, path)
    print(os.stat(root._anchor + path).st_rdev)
except OSError as error:
    print("refused")
"""


@pytest.fixture
def path() -> Iterator[str]:
    """Make a device, and give its name."""
    with devices.node(f"/dev/edgefn-node-{os.getpid()}", 0o600) as made:
        yield made
        if not os.path.lexists(made):
            os.mknod(made)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{made}.gone")


def _swap(path: str) -> None:
    """Make another thing of the name, again and again."""
    draw, other = random.Random(1), f"{path}.gone"
    while True:
        kind = draw.randrange(5)
        if kind == 0:
            os.symlink("/dev/mem", other)
        elif kind == 1:
            os.symlink("/etc/passwd", other)
        elif kind == 2:
            os.close(os.open(other, os.O_CREAT, 0o600))
        else:
            os.mknod(other, 0o600 | 0o020000, ALLOWED if kind == 3 else FORBIDDEN)
        os.rename(other, path)


def test_what_was_looked_at_is_what_is_opened(path: str) -> None:
    """While the name is swapped for forbidden devices, files and links: each open gives an allowed one, or an error."""
    child = os.fork()
    if not child:
        try:
            _swap(path)
        finally:
            os._exit(1)
    found: Counter[str] = Counter()
    try:
        end = time.monotonic() + SWAP_S
        while time.monotonic() < end:
            try:
                node = nodes.open_node(path)
            except OSError:
                found["refused"] += 1
                continue
            assert os.fstat(node).st_rdev == ALLOWED
            found["opened"] += 1
            os.close(node)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert set(found) == {"refused", "opened"}


@pytest.mark.parametrize("kind", ["renamed", "unlinked"])
def test_what_was_opened_is_what_is_bound(path: str, kind: str) -> None:
    """Where its name leads to the machine's memory by the time: the function gets the device of before, or none."""
    done = subprocess.run([sys.executable, "-c", BIND, path, kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in (str(ALLOWED), "refused")
    assert kind == "unlinked" or done.stdout.strip() == str(ALLOWED)
