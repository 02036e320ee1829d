"""Children of the box that nobody has told it of."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from edgefn_runtime.workers import child as child_module
from edgefn_runtime.workers.child import Child, children_of_this, reap_orphans, reap_unknown


def ended() -> int:
    """A child of this process that has ended and is not reaped."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def failing() -> int:
    """A child of this process that leaves with 1."""
    return os.posix_spawn("/bin/false", ["false"], {})


def test_what_ended_untold_is_reaped_and_what_is_known_is_not_taken() -> None:
    """A zygote that was killed had just forked it; the exit status of a known child stays for who waits for it."""

    async def main() -> None:
        untold, child = ended(), Child(failing())
        began = time.monotonic()
        await reap_unknown()
        assert time.monotonic() - began >= 1, "it looks twice"
        assert untold not in children_of_this()
        assert await child.wait() == 1

    asyncio.run(main())


def sleeping() -> int:
    """Return a child of this process that leads a session and lives."""
    return os.posix_spawn("/bin/sleep", ["sleep", "60"], {}, setsid=True)


def test_who_is_known_is_not_looked_at_for_strays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many children live: with hundreds, each end would have all others read on the event loop."""
    looked_at: list[int] = []
    stat = child_module._stat

    def looking(pid: int, place: int) -> str:
        looked_at.append(pid)
        return stat(pid, place)

    monkeypatch.setattr(child_module, "_stat", looking)

    async def main() -> None:
        known, orphan = [Child(sleeping()) for _ in range(20)], sleeping()
        while orphan in children_of_this():
            reap_orphans({orphan})
            await asyncio.sleep(0.01)
        assert orphan in looked_at
        assert {one.pid for one in known}.isdisjoint(looked_at)
        for one in known:
            one.kill()
            await one.wait()

    asyncio.run(main())


def test_those_that_end_together_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each of them: what a hundred left behind is found in few looks, and all of it."""
    looks: list[set[int]] = []
    reap = child_module.reap_orphans

    def reaping(sessions: set[int]) -> None:
        looks.append(set(sessions))
        reap(sessions)

    monkeypatch.setattr(child_module, "reap_orphans", reaping)

    async def main() -> None:
        known = [Child(sleeping()) for _ in range(100)]
        for one in known:
            one.kill()
        for one in known:
            await one.wait()
        deadline = time.monotonic() + 10
        while set().union(*looks) < {one.pid for one in known}:
            assert time.monotonic() < deadline, "some are not looked for"
            await asyncio.sleep(0.01)
        assert len(looks) < 50

    asyncio.run(main())
