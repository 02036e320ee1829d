"""One measured figure beside its bound. Holds numbers; measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["less", "more"]


@dataclass(frozen=True)
class Figure:
    """`value` in `unit`; `bound` is what the issue or the specification promises, None where nothing is promised.

    `how` says what the number is of, so that it can be read without the code: the runs, the spread, the load.
    """

    name: str
    value: float
    unit: str
    how: str
    bound: float | None = None
    better: Better = "less"

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None without one."""
        if self.bound is None:
            return None
        return self.value <= self.bound if self.better == "less" else self.value >= self.bound

    def as_json(self) -> dict[str, Any]:
        sign = None if self.bound is None else "<=" if self.better == "less" else ">="
        facts = {"name": self.name, "value": self.value, "unit": self.unit, "how": self.how}
        return facts | {"bound": self.bound, "sign": sign, "holds": self.holds}


def spread(values: Sequence[float]) -> str:
    """The middle half of `values`: "p25 11.9, p75 12.6"."""
    quarters = statistics.quantiles(values, n=4)
    return f"p25 {quarters[0]:.3g}, p75 {quarters[2]:.3g}"


def median(
    name: str, values: Sequence[float], unit: str, how: str, bound: float | None = None, better: Better = "less"
) -> Figure:
    """The median of `values`, two at least, with their spread."""
    return Figure(name, statistics.median(values), unit, f"{how} ({spread(values)})", bound, better)


def ratio(
    name: str,
    over: Sequence[float],
    under: Sequence[float],
    how: str = "",
    bound: float | None = None,
    better: Better = "less",
) -> Figure:
    """The median of `over` ÷ `under`, pair by pair: what slows the machine for a while slows both of a pair."""
    ratios = [above / below for above, below in zip(over, under, strict=True)]
    return median(name, ratios, "x", f"{how or 'in turns'}, {len(ratios)} pairs", bound, better)
