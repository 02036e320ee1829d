"""The memory ledger: never over the budget, nobody's work ended, nothing ended in vain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.scheduling.ledger import (
    Account,
    Admission,
    budget_bytes,
    committed_bytes,
    learnt,
    refusal,
    room_for,
)


@st.composite
def some_accounts(draw: st.DrawFn) -> list[Account]:
    accounts = []
    for number in range(draw(st.integers(1, 8))):
        instances = draw(st.integers(0, 4))
        accounts.append(
            Account(
                f"f{number}",
                draw(st.integers(0, 1000)),
                draw(st.integers(1, 1000)),
                template=draw(st.booleans()),
                instances=instances,
                standalone=draw(st.integers(0, instances)),
                spare=draw(st.integers(0, instances)),
                min_instances=draw(st.integers(0, 2)),
                used_at=draw(st.floats(0, 1e6)),
                reload_s=draw(st.floats(0, 100)),
            )
        )
    return accounts


NEEDED, MEMORY = st.integers(1, 3000), st.integers(0, 12_000)


def freed(room: Admission, accounts: list[Account]) -> int:
    by_key = {account.key: account for account in accounts}
    templates = sum(by_key[key].template_bytes for key in room.templates)
    return templates + sum(by_key[key].freed_bytes for key in room.instances)


@given(NEEDED, some_accounts(), MEMORY, MEMORY)
def test_what_starts_fits(needed: int, accounts: list[Account], budget: int, available: int) -> None:
    """After what ended: within the budget, and within what the machine has."""
    room = room_for(needed, "f0", accounts, budget, available)
    if room.fits:
        assert committed_bytes(accounts) - freed(room, accounts) + needed <= budget
        assert needed <= available + freed(room, accounts)


@given(NEEDED, some_accounts(), MEMORY, MEMORY)
def test_only_what_serves_nobody_ends(needed: int, accounts: list[Account], budget: int, available: int) -> None:
    """Templates without instances and instances without work, of other functions; nothing where it would not do."""
    room = room_for(needed, "f0", accounts, budget, available)
    by_key = {account.key: account for account in accounts}
    assert all(by_key[key].parked for key in room.templates)
    assert all(room.instances.count(key) <= by_key[key].spare for key in room.instances)
    assert "f0" not in (*room.templates, *room.instances)
    assert len(set(room.templates)) == len(room.templates)
    if not room.fits:
        assert not room.templates
        assert not room.instances
        assert room.short_bytes > 0


@given(NEEDED, some_accounts(), MEMORY, MEMORY)
def test_no_more_ends_than_must(needed: int, accounts: list[Account], budget: int, available: int) -> None:
    """Whichever of those had stayed, it would not fit."""
    room = room_for(needed, "f0", accounts, budget, available)
    lacking = needed - min(budget - committed_bytes(accounts), available)
    by_key = {account.key: account for account in accounts}
    for key in room.templates:
        assert freed(room, accounts) - by_key[key].template_bytes < lacking
    for key in room.instances:
        assert freed(room, accounts) - by_key[key].freed_bytes < lacking


@given(NEEDED, some_accounts(), MEMORY, MEMORY, st.integers(0, 1000))
def test_more_memory_never_refuses(
    needed: int, accounts: list[Account], budget: int, available: int, more: int
) -> None:
    """What fits goes on fitting when the budget grows, the machine has more, or less is asked for."""
    if room_for(needed, "f0", accounts, budget, available).fits:
        assert room_for(needed, "f0", accounts, budget + more, available).fits
        assert room_for(needed, "f0", accounts, budget, available + more).fits
        assert room_for(max(0, needed - more), "f0", accounts, budget, available).fits


@given(NEEDED, some_accounts(), MEMORY, MEMORY)
def test_what_is_not_refused_could_fit(needed: int, accounts: list[Account], budget: int, available: int) -> None:
    """It is only refused when everything that may end would not be enough."""
    room = room_for(needed, "f0", accounts, budget, available)
    others = accounts[1:]
    could = sum(one.parked * one.template_bytes + one.spare * one.freed_bytes for one in others)
    lacking = needed - min(budget - committed_bytes(accounts), available)
    assert room.fits == (lacking <= could)


def test_the_cheapest_to_reload_goes_first_and_instances_last() -> None:
    """10 ms before 10 s; a template that nobody uses before an instance that somebody may."""
    quick = Account("quick", 100, 50, template=True, reload_s=0.01)
    slow = Account("slow", 100, 50, template=True, reload_s=10.0)
    warm = Account("warm", 100, 50, template=True, instances=1, spare=1, reload_s=0.001)
    accounts = [slow, warm, quick]
    assert room_for(50, "new", accounts, 350, 10_000) == Admission(True, ("quick",))
    assert room_for(200, "new", accounts, 350, 10_000) == Admission(True, ("quick", "slow"))
    assert room_for(230, "new", accounts, 350, 10_000) == Admission(True, ("quick", "slow"), ("warm",))
    assert room_for(251, "new", accounts, 350, 10_000) == Admission(False, short_bytes=1)


@given(some_accounts(), MEMORY)
def test_a_deployment_is_refused_only_where_it_could_never_run(accounts: list[Account], budget: int) -> None:
    """One instance, or as many as it keeps, beside what the others keep: that is all it needs, whatever runs now."""
    new, *others = accounts
    needed = new.template_bytes + max(1, new.min_instances) * new.instance_bytes
    kept = sum(one.template_bytes + one.min_instances * one.instance_bytes for one in others if one.min_instances)
    assert bool(refusal(new, others, budget)) == (needed + kept > budget)


def test_a_refusal_has_the_figures() -> None:
    """What it needs and for what, what the box has, and what of that is others'."""
    new = Account("new", 40_000_000, 660_000_000)
    other = Account("other", 50_000_000, 25_000_000, min_instances=2)
    assert refusal(new, [other], 512_000_000) == (
        "needs 700.0 MB (template 40.0 MB + 1 × 660.0 MB for instances), the box has 512.0 MB for functions, "
        "100.0 MB of it reserved for others"
    )
    assert "reserved" not in refusal(new, [], 512_000_000)


@given(st.integers(0, 2**45))
def test_something_is_left_to_the_system(total: int) -> None:
    """At least an eighth, never more than half."""
    assert total // 2 <= budget_bytes(total) <= total - total // 8 or total < 2
    assert budget_bytes(total) <= budget_bytes(total + 1)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_an_instance_is_counted_with_no_less_than_it_took_last(samples: list[int]) -> None:
    """It rises at once, falls slowly, and stays between the least and the most that was measured."""
    counted: int | None = None
    for sample in samples:
        counted = learnt(counted, sample)
        assert sample <= counted <= max(samples)
