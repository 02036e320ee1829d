"""The memory ledger: what each revision takes of the box's memory, and what may start, now or after others ended.

All in bytes, of one moment. Each process counts with what was measured, and until then with `memory` of the decorator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from edgefn.text.quantities import format_bytes

PROCESS_BYTES = 16 * 2**20
"""Memory that the kernel adds to a process's own allocations: page tables, pipes, stacks, small files."""

RESERVE = 1 / 8
MIN_RESERVE_BYTES = 128 * 2**20
"""Reserved for the system, the box and its zygote: an eighth of the machine, at least this, but never over half."""


class Account(NamedTuple):
    """One revision on the box. `instance_bytes` is what each instance takes beside its template.

    `standalone` of them have no template, but have loaded the same themselves. `spare` instances of `instances` are
    without work and beyond the minimum of `scale`: they may end, and so may the template where there is no instance.
    `reload_s` is what loading the template again costs, `used_at` when it was last needed.
    """

    key: str
    template_bytes: int
    instance_bytes: int
    template: bool = False
    instances: int = 0
    standalone: int = 0
    spare: int = 0
    min_instances: int = 0
    used_at: float = 0.0
    reload_s: float = 0.0

    @property
    def held_bytes(self) -> int:
        """Return the bytes that its processes take now."""
        return (self.template + self.standalone) * self.template_bytes + self.instances * self.instance_bytes

    @property
    def freed_bytes(self) -> int:
        """Return the least bytes that come back when one of its instances ends."""
        return self.instance_bytes + (self.template_bytes if self.instances == self.standalone else 0)

    @property
    def kept_bytes(self) -> int:
        """Return the least bytes that it takes as long as it is deployed."""
        return self.template_bytes + self.min_instances * self.instance_bytes if self.min_instances else 0

    @property
    def parked(self) -> bool:
        """Tell whether its template may be ended, because no instance needs it."""
        return self.template and not self.instances


class Admission(NamedTuple):
    """Whether something may start, and what must end before: templates and instances, by their accounts' keys."""

    fits: bool
    templates: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    short_bytes: int = 0


def budget_bytes(total_bytes: int) -> int:
    """Return the default budget of all functions together on a machine with `total_bytes`."""
    reserve = max(int(total_bytes * RESERVE), MIN_RESERVE_BYTES)
    return total_bytes - min(reserve, total_bytes // 2)


def committed_bytes(accounts: Iterable[Account]) -> int:
    """Return the bytes that all processes take now."""
    return sum(account.held_bytes for account in accounts)


def room_for(needed_bytes: int, key: str, accounts: Sequence[Account], budget: int, available: int) -> Admission:
    """Decide whether `needed_bytes` more for the account `key` fit, and what must end for that.

    They must fit the `budget` and what the machine has `available`. Where they do not, parked templates end, the
    cheapest to reload for each byte first; where those are not enough, instances without work too, the longest unused
    first. Never more of them than must; none where it would not be enough.
    """
    lacking = needed_bytes - min(budget - committed_bytes(accounts), available)
    if lacking <= 0:
        return Admission(True)
    others = [account for account in accounts if account.key != key]
    parked = sorted((one for one in others if one.parked), key=_reload_cost)
    spare = [one for one in sorted(accounts, key=lambda one: one.used_at) for _ in range(one.spare) if one.key != key]
    templates = _smallest(parked, lacking, lambda one: one.template_bytes)
    lacking -= sum(one.template_bytes for one in templates)
    instances = _smallest(spare, lacking, lambda one: one.freed_bytes)
    lacking -= sum(one.freed_bytes for one in instances)
    if lacking > 0:
        return Admission(False, short_bytes=lacking)
    if instances:  # with them, a template chosen before may do without ending
        over = -lacking
        templates, _ = _without_needless(templates, over, lambda one: one.template_bytes)
    return Admission(True, tuple(one.key for one in templates), tuple(one.key for one in instances))


def refusal(new: Account, others: Iterable[Account], budget: int) -> str:
    """Return why `new` can never run beside the least that the `others` keep, with the figures.

    Returns "" when it can.
    """
    instances = max(1, new.min_instances)
    needed = new.template_bytes + instances * new.instance_bytes
    kept = sum(other.kept_bytes for other in others)
    if needed <= budget - kept:
        return ""
    of_others = f", {format_bytes(kept)} of it reserved for others" if kept else ""
    return (
        f"needs {format_bytes(needed)} (template {format_bytes(new.template_bytes)} + {instances} × "
        f"{format_bytes(new.instance_bytes)} for instances), "
        f"the box has {format_bytes(budget)} for functions{of_others}"
    )


def learnt(before: int | None, sample: int) -> int:
    """Return the bytes that an instance is counted with once `sample` was measured.

    They rise at once, and fall by a tenth of the way.
    """
    return sample if before is None or sample >= before else before - (before - sample) // 10


def most_bytes(template_bytes: int, file_bytes: int, memory_bytes: int, instances: int) -> int:
    """Return the bytes that a function's processes may use together.

    They are for its template, at most `instances` instances, and the files it maps.
    """
    return template_bytes + file_bytes + instances * memory_bytes + (1 + instances) * PROCESS_BYTES


def _reload_cost(account: Account) -> tuple[float, float]:
    return account.reload_s / max(1, account.template_bytes), account.used_at


def _smallest(candidates: Sequence[Account], wanted: int, size: Callable[[Account], int]) -> list[Account]:
    """Return the first of `candidates` that give `wanted` bytes together, without needless ones."""
    taken: list[Account] = []
    got = 0
    for candidate in candidates:
        if got >= wanted:
            break
        taken.append(candidate)
        got += size(candidate)
    return _without_needless(taken, got - wanted, size)[0]


def _without_needless(taken: Sequence[Account], over: int, size: Callable[[Account], int]) -> tuple[list[Account], int]:
    """Return `taken` without the accounts that may stay, as `taken` frees `over` bytes too many.

    The dearest are left out first. Returns also how many bytes are still too many.
    """
    kept: list[Account] = []
    for account in reversed(taken):
        if size(account) <= over:
            over -= size(account)
        else:
            kept.append(account)
    return kept[::-1], over
