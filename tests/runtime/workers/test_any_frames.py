"""Whatever bytes an instance sends, in whatever pieces: its calls end, and nothing is raised into the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.calls.answers import AnswerMemory
from edgefn_runtime.calls.call import Call
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.frames import PREFIX, encode_frame
from edgefn_runtime.workers.instance import Instance

SECONDS = st.floats(0, 10)
IDS = st.integers(-1, 6)
TEXTS = st.text(max_size=20)
MESSAGES = st.one_of(
    st.builds(messages.Answer, IDS, TEXTS, SECONDS, SECONDS, SECONDS),
    st.builds(messages.Refusal, IDS, TEXTS, TEXTS, TEXTS, SECONDS),
    st.builds(messages.Crash, IDS, TEXTS, SECONDS, SECONDS),
    st.builds(messages.Returned, IDS),
    st.builds(messages.Batched, TEXTS, st.booleans(), SECONDS, SECONDS),
    st.builds(messages.WrongAnswer, TEXTS, TEXTS),
    st.builds(messages.Leaving),
    st.builds(messages.Ready),
)
FRAMES = st.builds(
    lambda message, body: b"".join(map(bytes, encode_frame(messages.encode(message), body))),
    MESSAGES,
    st.one_of(st.binary(max_size=30), st.integers(60_000, 200_000).map(bytes)),
)
PREFIXES = st.builds(PREFIX.pack, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


class Quiet:
    """A pool that keeps the calls that come back."""

    def __init__(self) -> None:
        self.back: list[Call] = []

    def worked(self, seconds: float) -> None: ...
    def unseen(self, calls: list[Call]) -> None:
        self.back += calls

    def freed(self, instance: Instance) -> None: ...
    def answered_wrongly(self, artifact: str, reason: str) -> None: ...
    def ended(self, instance: Instance, unseen: list[Call]) -> None: ...


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    closed = paused = False

    def write(self, data: object) -> None: ...
    def writelines(self, pieces: object) -> None: ...
    def abort(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@given(st.lists(st.one_of(FRAMES, FRAMES, st.binary(max_size=40), PREFIXES), max_size=12), st.data())
def test_any_stream_is_answers_or_the_end_of_its_instance(sent: Sequence[bytes], data: st.DataObject) -> None:
    """No exception leaves data_received; each call is answered once or left; the memory for answers adds up."""

    async def test() -> None:
        memory, pool, wire = AnswerMemory(), Quiet(), Wire()
        instance = Instance("f", pool, memory)
        instance.connection_made(wire)
        instance.state, instance._news_left = InstanceState.READY, 4
        calls = [Call("", "", "", b"") for _ in range(4)]
        for call in calls:
            call.deadline = float("inf")
            instance.send(call)
        stream, cuts = b"".join(sent), data.draw(st.lists(st.integers(1, 70_000), min_size=1, max_size=8))
        place, turn = 0, 0
        while place < len(stream):
            size = cuts[turn % len(cuts)]
            instance.data_received(stream[place : place + size])
            place, turn = place + size, turn + 1
        held = instance._large._size if instance._large is not None and instance._large.has_room else 0
        assert memory.taken_bytes == held
        assert bool(instance._garbled) <= wire.closed
        for call in calls:
            assert call.future.done() + (call in pool.back) + (call in instance.calls.values()) == 1
        if instance._large is not None:
            instance._large.drop()
        assert memory.taken_bytes == 0

    asyncio.run(test())
