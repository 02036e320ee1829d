"""The users that functions run as: no two alike, the same from run to run, out of everybody else's ranges."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import Unavailable
from edgefn_runtime.store.database import Database
from edgefn_runtime.workers import finisher
from edgefn_runtime.workers.users import NARROW, WIDE, NoBook, Users, default_range
from tests.runtime.pool.bench import Bench, OnBench

SLEEPS = """
import time
@edge_function
def f(sleep: float = 0.0) -> int:
    time.sleep(sleep)
    return 0
"""


@given(names=st.lists(st.text("abc", min_size=1), unique=True, max_size=50), start=st.text())
def test_no_two_functions_have_one_user(names: list[str], start: str) -> None:
    """Handed out one by one from anywhere in the range and round; asked again, it is the same."""
    users = Users(NoBook(), range(70_000, 70_050), start)
    given = {name: users.uid_of(name)[0] for name in names}
    assert len(set(given.values())) == len(names)
    assert {name: users.uid_of(name) for name in names} == {name: (uid, False) for name, uid in given.items()}
    assert all(70_000 <= uid < 70_050 for uid in given.values())


def test_they_are_kept_from_run_to_run(tmp_path: Path) -> None:
    """Another run of the box has the same; one of a range that is not the box's any more is given up."""
    database = Database(tmp_path / "box.db")
    users = Users(database, WIDE, "home")
    kept = {name: users.uid_of(name)[0] for name in ("a", "b")}
    for name, uid in kept.items():
        users.keep(name, uid)
    again = Users(database, WIDE, "home")
    assert {name: again.uid_of(name) for name in kept} == {name: (uid, False) for name, uid in kept.items()}
    uid, is_new = Users(database, NARROW, "home").uid_of("a")
    assert is_new
    assert uid in NARROW
    database.close()


def test_when_all_are_taken_a_removed_function_gives_its_own() -> None:
    """And where none was removed, the box says what to do."""
    there = ["a", "b"]
    users = Users(NoBook(), range(70_000, 70_002), "", lambda: there)
    first = users.uid_of("a")[0]
    users.uid_of("b")
    with pytest.raises(Unavailable, match=r"all 2 users of 70000-70001.* --uids"):
        users.uid_of("c")
    there.remove("a")
    assert users.uid_of("c") == (first, True)


def test_who_is_at_work_has_a_user_for_itself(on_bench: OnBench) -> None:
    """Before its deployment is committed and after its removal too, and the finisher always: with one user more than
    these have, each further function gets that one, however many are taken."""

    async def test(bench: Bench) -> None:
        users = Users(NoBook(), range(70_000, 70_003), "", bench.supervisor.working)
        mine = {name: users.uid_of(name)[0] for name in (finisher.USER, "f")}
        revision = bench.revision(SLEEPS)
        await bench.supervisor.prepare(revision)
        assert {users.uid_of(f"other{number}")[0] for number in range(5)}.isdisjoint(mine.values())
        await bench.supervisor.switch("f", revision)
        call = bench.submit(sleep=0.5)
        removed = asyncio.create_task(bench.supervisor.remove("f"))
        await asyncio.sleep(0)
        assert {users.uid_of(f"another{number}")[0] for number in range(5)}.isdisjoint(mine.values())
        assert bench.answer(await call.future) == 0
        await removed
        assert mine["f"] in {users.uid_of(f"last{number}")[0] for number in range(2)}
        discarded = bench.revision(SLEEPS, number=2)
        await bench.supervisor.prepare(discarded)
        await bench.supervisor.discard(discarded)
        assert bench.supervisor.working() == {finisher.USER}

    on_bench(test)


def test_a_full_range_is_looked_through_once() -> None:
    """The box asks its database once who is there, and not for each of ten thousand users."""
    asked = 0

    def in_use() -> list[str]:
        nonlocal asked
        asked += 1
        return names[:-1]

    names = [f"f{number}" for number in range(100)]
    users = Users(NoBook(), range(70_000, 70_100), "", in_use)
    given = [users.uid_of(name)[0] for name in names]
    assert users.uid_of("new") == (given[-1], True)
    assert asked == 1


def test_the_ranges_are_nobody_elses() -> None:
    """Not a person's, Debian's, systemd's (dynamic users, containers, homes), nobody's, or of /etc/subuid."""
    others = (range(1000, 60_000), range(60_001, 60_514), range(61_184, 65_536), range(100_000, 2**32 - 1))
    for mine, other in itertools.product((WIDE, NARROW), others):
        assert not range(max(mine[0], other[0]), min(mine[-1], other[-1]) + 1)


def test_a_container_of_65536_users_has_the_narrow_one(tmp_path: Path) -> None:
    """What the machine's map does not have cannot be taken."""
    maps = tmp_path / "uid_map"
    maps.write_text("         0     100000      65536\n")
    assert default_range(maps) == NARROW
    maps.write_text("         0          0 4294967295\n")
    assert default_range(maps) == WIDE
