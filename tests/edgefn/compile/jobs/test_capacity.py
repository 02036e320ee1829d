"""How many compilers run side by side: properties over all machines and models."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn.compile.jobs.capacity import FLOOR_BYTES, estimate, startable

SIZES = st.lists(st.integers(0, 2**34), max_size=12)
CORES = st.integers(1, 64)
MEMORY = st.integers(0, 2**36)


@given(SIZES, SIZES, CORES, MEMORY)
def test_cores_and_memory_are_kept(waiting: list[int], running: list[int], cores: int, memory: int) -> None:
    """Whatever begins beside others has a core and room in memory."""
    count = startable(waiting, running, cores, memory)
    assert 0 <= count <= len(waiting)
    if count and len(running) + count > 1:
        assert len(running) + count <= cores
        assert sum(running) + sum(waiting[:count]) <= memory


@given(st.lists(st.integers(0, 2**34), min_size=1), CORES, MEMORY)
def test_a_build_always_goes_on(waiting: list[int], cores: int, memory: int) -> None:
    """One begins when none runs, on however small a machine."""
    assert startable(waiting, [], cores, memory) >= 1


@given(SIZES, SIZES, CORES, MEMORY)
def test_no_room_is_left_unused(waiting: list[int], running: list[int], cores: int, memory: int) -> None:
    """The next one did not begin because it would not have fitted."""
    count = startable(waiting, running, cores, memory)
    if count < len(waiting):
        held = [*running, *waiting[:count]]
        assert len(held) >= cores or sum(held) + waiting[count] > memory


@given(SIZES, CORES, MEMORY, st.randoms())
def test_all_are_run_in_their_order(waiting: list[int], cores: int, memory: int, random: object) -> None:
    """However they end, each begins once, none before one that stands ahead of it."""
    begun: list[int] = []
    running: list[int] = []
    left = list(range(len(waiting)))
    while left or running:
        count = startable([waiting[one] for one in left], [waiting[one] for one in running], cores, memory)
        begun += left[:count]
        running += left[:count]
        del left[:count]
        running.pop(random.randrange(len(running)))  # type: ignore[attr-defined]
    assert begun == list(range(len(waiting)))


@given(st.integers(0, 2**36), st.integers(0, 2**32), st.integers(1, 2**30))
def test_an_estimate_grows_with_the_model(weights: int, samples: int, more: int) -> None:
    """And is never less than what an empty compiler holds."""
    assert FLOOR_BYTES <= estimate(weights, samples) < estimate(weights + more, samples)
    assert estimate(weights, samples) < estimate(weights, samples + more)
