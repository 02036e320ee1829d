"""What is thrown away is read in turns: a crowd of refused clients that go on sending keeps nobody busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.gateway.limits.discards import MAX_BYTES, PAUSE_S, READ_BYTES, Discards
from tests.runtime.gateway.typed import Wire, connected, of_kind


class Clock:
    """An event loop's timers, and nothing else of it."""

    def __init__(self) -> None:
        self.due: list[Callable[[], Any]] = []

    def call_later(self, delay_s: float, act: Callable[[], Any]) -> object:
        assert delay_s == PAUSE_S
        self.due.append(act)
        return object()

    def tick(self) -> None:
        due, self.due = self.due, []
        for act in due:
            act()


class Client:
    """Sends as much as is read of it."""

    def __init__(self, clock: Clock, size: int) -> None:
        self.loop = cast("asyncio.AbstractEventLoop", clock)
        self.size = size
        self.reading, self.read = True, 0

    def stop_reading(self) -> None:
        self.reading = False

    def go_on(self) -> None:
        self.reading = True


@given(st.lists(st.integers(1, READ_BYTES), min_size=1, max_size=100))
def test_all_together_have_one_bound_and_each_has_its_turn(sizes: list[int]) -> None:
    """Beyond the bound at most one read of each that still may; everyone who sends on is read again."""
    clock, discards = Clock(), Discards()
    clients = [Client(clock, size) for size in sizes]
    for period in range(60):
        read = 0
        for _ in range(MAX_BYTES // min(sizes) + 1 if sum(sizes) > MAX_BYTES else 3):
            for client in clients:
                if client.reading:
                    read += client.size
                    client.read += client.size
                    discards.add(cast("Any", client), client.size)
            if read > MAX_BYTES:
                break
        most = sum(sizes) if period == 0 else MAX_BYTES
        assert read <= most + MAX_BYTES + sum(client.size for client in clients if client.reading)
        clock.tick()
    assert all(client.read >= 2 * client.size for client in clients)


def test_who_has_gone_holds_no_turn() -> None:
    """Clients that leave while they wait are forgotten, however many: the next turn is of those who are there."""

    async def main() -> None:
        kind = type(connected())
        clients = [of_kind(kind) for _ in range(100)]
        for client in clients:
            client.data_received(b"x\r\n\r\n")  # no request: refused
            client.data_received(bytes(READ_BYTES))
        waiting = [client for client in clients if not cast("Wire", client.transport).reads]
        assert len(waiting) > MAX_BYTES // READ_BYTES
        for client in waiting[:-1]:
            client.connection_lost(None)
        kind.discards._renew()
        assert cast("Wire", waiting[-1].transport).reads
        for client in clients:
            if client not in waiting[:-1]:
                client.connection_lost(None)
        assert not kind.discards._waiting

    asyncio.run(main())
