"""Children of the box that nobody has told it of."""

from __future__ import annotations

import asyncio
import os
import time

from edgefn_runtime.supervisor.child import Child, children_of_this, reap_unknown


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
