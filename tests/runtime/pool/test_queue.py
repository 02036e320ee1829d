"""The queue: earliest deadline first, and whoever leaves is gone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn_runtime.calls.call import Call
from edgefn_runtime.pool.queue import Queue


def in_a_loop(test: Callable[[], None]) -> None:
    """Calls are made inside an event loop."""

    async def main() -> None:
        test()

    asyncio.run(main())


def call(deadline: float, admitted: float = 0.0) -> Call:
    made = Call("", "", "", b"")
    made.deadline, made.admitted = deadline, admitted
    return made


@settings(deadline=None)  # each example has an event loop of its own
@given(st.lists(st.integers(0, 5), max_size=40))
def test_the_earliest_deadline_first_and_of_equals_the_first_to_come(deadlines: list[int]) -> None:
    """What is popped is sorted by deadline, and among equals in order of arrival; iterating tells the same."""

    def test() -> None:
        queue, calls = Queue(), [call(deadline) for deadline in deadlines]
        for each in calls:
            queue.push(each)
        expected = sorted(calls, key=lambda each: each.deadline)
        assert list(queue) == expected
        assert [queue.pop() for _ in calls] == expected
        assert not queue

    in_a_loop(test)


@settings(deadline=None)  # each example has an event loop of its own
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40), st.integers(-1, 6))
def test_who_leaves_is_skipped_and_not_counted(entries: list[tuple[int, bool]], deadline: int) -> None:
    """After removals the others come in the same order, and `ahead` counts those alone; a second removal is none."""

    def test() -> None:
        queue, calls = Queue(), [(call(number), leaves) for number, leaves in entries]
        for each, _ in calls:
            queue.push(each)
        assert all(queue.remove(each) for each, leaves in calls if leaves)
        assert not any(queue.remove(each) for each, leaves in calls if leaves)
        left = sorted((each for each, leaves in calls if not leaves), key=lambda each: each.deadline)
        assert len(queue) == len(left)
        assert queue.ahead(deadline) == sum(each.deadline <= deadline for each in left)
        assert [queue.pop() for _ in left] == left
        assert not any(queue.remove(each) for each in left)

    in_a_loop(test)


def test_a_call_that_comes_back_gets_its_old_place() -> None:
    """What was handed out and comes back unseen is before later calls, and before equals that came after it."""

    def test() -> None:
        queue, first, second = Queue(), call(1.0), call(1.0)
        queue.push(first)
        queue.push(second)
        assert queue.pop() is first
        queue.push(first)
        direct = call(1.0, admitted=-1.0)  # admitted before them, and with an instance until now
        queue.push(direct)
        assert list(queue) == [direct, first, second]

    in_a_loop(test)


def test_a_call_that_never_waited_cannot_be_removed() -> None:
    """Nobody else leaves in its place, be its deadline the same."""

    def test() -> None:
        queue = Queue()
        queue.push(call(1.0))
        assert not queue.remove(call(1.0))
        assert len(queue) == 1

    in_a_loop(test)


def test_the_queue_holds_nothing_of_who_has_left() -> None:
    """A body of megabytes does not stay until its place would have come."""

    def test() -> None:
        queue = Queue()
        queue.push(call(1.0))
        gone = call(2.0)
        queue.push(gone)
        queue.remove(gone)
        held = weakref.ref(gone.future)
        del gone
        gc.collect()
        assert held() is None

    in_a_loop(test)
