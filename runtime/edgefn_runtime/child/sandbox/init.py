"""The first process of a PID namespace (pid_namespaces(7)); the namespace holds a template and its instances only.

It does nothing: it keeps them from being the first process, whose end is the end of all. It ends with the box, and
the kernel then kills whatever is in the namespace; and when the box asks it to look and no other process is left.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import Final

from edgefn.system.syscalls import setns
from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import process
from edgefn_runtime.child.fork.clone import fork_sibling
from edgefn_runtime.child.sandbox import identity
from edgefn_runtime.wire.messages import Init

NAME: Final = "edgefn-init"
NEW_PROCESSES: Final = 0x20000000
LOOK: Final = signal.SIGTERM
"""From the box: end if you are the last."""
_PAUSE_S, _LOOKS, _LOOK_AGAIN_MS = 0.02, 3, 500


class ProcessNamespace:
    """A PID namespace for children to come. After `close` it lives on with the processes in it. Raises OSError."""

    def __init__(self, box: Control) -> None:
        """Start the namespace's first process, a child of the box as all are; it reports itself to `box`."""
        pid = fork_sibling(namespaces=NEW_PROCESSES)
        if pid == 0:
            process.leave_after(lambda: _main(box))
        self._first = f"/proc/{pid}/ns"
        self._descriptor = os.open(f"{self._first}/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._own = -1

    @property
    def lives(self) -> bool:
        """Tell whether the first process lives; without it no process can be born in the namespace."""
        try:
            # This name, unlike the other, is gone with the process, and not only when it is reaped.
            return os.path.samestat(os.stat(f"{self._first}/pid_for_children"), os.fstat(self._descriptor))
        except OSError:
            return False

    def enter(self) -> None:
        """Put the children of this process into the namespace from now on. Raises OSError."""
        setns(self._descriptor, NEW_PROCESSES)

    def __enter__(self) -> None:
        """Enter the namespace, after opening the way back."""
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.enter()
        except BaseException:
            os.close(self._own)
            raise

    def __exit__(self, *_: object) -> None:
        """Put the children of this process into its own namespace again."""
        try:
            setns(self._own, NEW_PROCESSES)
        finally:
            os.close(self._own)

    def close(self) -> None:
        os.close(self._descriptor)


def may_come_back() -> bool:
    """Tell whether this process may return from another PID namespace to its own, for its children.

    Only root of the user namespace that owns it may: not the root of a container's user namespace, or of one it made.
    """
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(own, NEW_PROCESSES)
    except OSError:
        return False
    finally:
        os.close(own)
    return True


def inside() -> bool:
    """Tell whether this process is in a PID namespace that its parent, the box, is not in."""
    return os.getppid() == 0


def _main(box: Control) -> int:
    process.close_all_but([box.fileno()])
    os.setsid()
    process.die_with_parent()
    process.name(NAME)
    identity.drop_privileges(keep_reading=False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what it adopts is reaped by the kernel
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    signal.signal(LOOK, lambda *_: None)
    if not box.reaches(Init()):
        return 0  # the box has died, before the lines above
    _wait_to_be_last(box.fileno(), woken)
    return 0


def _wait_to_be_last(box: int, woken: int) -> None:
    """Wait until no other process is left in the namespace.

    Looks when the box asks for it, and again and again once the box has let go of the zygote.
    """
    waiting = select.poll()
    waiting.register(box, 0)  # only its end: what comes there is for the zygote
    waiting.register(woken, select.POLLIN)
    pause_ms = None
    while True:
        if any(descriptor == box for descriptor, _ in waiting.poll(pause_ms)):
            waiting.unregister(box)
            os.close(box)
            pause_ms = _LOOK_AGAIN_MS
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 64)
        for _ in range(_LOOKS):  # who has ended may not be reaped yet
            if _is_last():
                return
            time.sleep(_PAUSE_S)


def _is_last() -> bool:
    try:
        os.kill(-1, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
