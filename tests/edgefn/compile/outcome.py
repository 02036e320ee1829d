"""What a build in a process of its own said, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Outcome:
    """Its exit code, its events in order, and what it wrote to stderr."""

    exit_code: int
    events: list[dict[str, Any]]
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def had_torch(self) -> bool:
        """Whether it imported torch, as the program that ran it wrote last."""
        return self.stderr.splitlines()[-1] == "True"

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The report's artifacts by target."""
        return {row["target"]: row for row in self.last["report"]["artifacts"]}
