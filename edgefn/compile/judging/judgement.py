"""What one model's artifacts are judged by, as files of the cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from edgefn import golden
from edgefn.accuracy.rules import Judging
from edgefn.golden import GoldenSample

JUDGING, SIZES, TRIED = "judging.json", "sizes.npz", "tried.json"


@dataclass(frozen=True)
class Judgement:
    """The files of one model, in `folder`."""

    folder: Path

    @cached_property
    def judging(self) -> Judging:
        return msgspec.json.decode((self.folder / JUDGING).read_bytes(), type=Judging)

    @property
    def sizes_path(self) -> Path:
        return self.folder / SIZES

    @cached_property
    def sizes(self) -> tuple[GoldenSample, ...]:
        """Return the pairs at other sizes."""
        return golden.load_pairs(self.sizes_path).sizes

    @cached_property
    def refused(self) -> dict[str, str]:
        """Return the sizes that eager does not run at, with its error."""
        return msgspec.json.decode((self.folder / TRIED).read_bytes(), type=dict[str, str])
