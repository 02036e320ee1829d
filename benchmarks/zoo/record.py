"""What became of a network: a line of JSON each, so that a run that was ended goes on where it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.zoo.project import Form

WRONG_FLOAT, WRONG_INT8 = 1e-3, 0.25
"""Errors above are wrong answers, unless eager float32 is as far from float64."""
NOISY = 4.0
"""So many times eager's own noise is still right."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the oracle found of an artifact: errors as a share of what another input changes.

    error      at the samples' sizes, of inputs that the build never saw; `noise` is float32's own, where it was taken
    equal      share of samples with the same largest numbers
    other      the worst error at `sizes` other sizes, at `other_at`
    no_answer  sizes at which the artifact gives none and eager does; `eager_refuses` those at which neither
    """

    error: float | None = None
    why: str = ""
    failure: str = ""
    noise: float | None = None
    equal: float | None = None
    other: float | None = None
    other_at: str = ""
    other_why: str = ""
    other_noise: float | None = None
    sizes: int = 0
    no_answer: tuple[str, ...] = ()
    eager_refuses: tuple[str, ...] = ()

    def wrong(self, *, int8: bool) -> bool:
        """Whether it gives an answer that is not eager's."""
        limit = WRONG_INT8 if int8 else WRONG_FLOAT
        pairs = ((self.error, self.noise), (self.other, self.other_noise))
        return any(error is not None and not error <= max(limit, NOISY * (noise or 0)) for error, noise in pairs)


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact: what the build's report says of it, and what the oracle found. Sizes in MB, times in seconds.

    gate     the error that the build's own gate found, and its `verdict`
    """

    status: str
    reason: str = ""
    mb: float = 0.0
    ratio: float | None = None
    seconds: float = 0.0
    gate: float | None = None
    verdict: str = ""
    judged: Judged | None = None

    @property
    def built(self) -> bool:
        return self.status == "built"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One network in one form. `refusal` is the first line of the build's error; `fault` what the oracle stumbled over.

    targets  those that were asked for
    plain  the error of ONNX Runtime's own static quantisation of the portable artifact, in the oracle's measure
    plain_right  whether the build's gate takes it; None where int8 was not asked for
    processor  of the machine that built and judged it
    """

    name: str
    family: str
    form: Form
    seconds: float
    refusal: str = ""
    fault: str = ""
    parameters: int = 0
    targets: tuple[str, ...] = ()
    artifacts: dict[str, Artifact] = {}
    plain: float | None = None
    plain_right: bool | None = None
    processor: str = ""

    def asked(self, kind: str) -> bool:
        """Whether an artifact of that kind was asked for."""
        return any(_kind(target) == kind for target in (*self.targets, *self.artifacts))

    def of(self, kind: str) -> Artifact | None:
        """The artifact called "portable", the fastest "float" one beside it, or the best "int8" one."""
        if kind == "portable":
            return self.artifacts.get("portable/fp32")
        wanted = [one for target, one in self.artifacts.items() if _kind(target) == kind]
        return min(wanted, key=lambda one: (not one.built, one.ratio or 0.0), default=None)

    def wrongs(self) -> Iterator[str]:
        """The targets whose artifacts give wrong answers."""
        for target, one in self.artifacts.items():
            if one.judged is not None and one.judged.wrong(int8=_kind(target) == "int8"):
                yield target


def _kind(target: str) -> str:
    if target.startswith("portable/"):
        return "portable"
    return "int8" if "/int8" in target else "float"


def plain(text: str) -> str:
    """Return a message without the folders of the machine that it is of."""
    text = re.sub(r"; (?:its log is|see its log) \S+", "", text)
    return re.sub(r"(?<![\w.])/[^\s\"']*/(?:site-packages/)?(?=[^\s\"'/]+)", _kept, text)


def _kept(folder: re.Match[str]) -> str:
    """Return what follows site-packages, nothing of another folder."""
    return folder[0].rpartition("site-packages/")[2] if "site-packages/" in folder[0] else ""


def read(path: Path) -> list[Record]:
    """The records of a file, the last one of each network and form; none where it is missing."""
    if not path.exists():
        return []
    lines = [msgspec.json.decode(line, type=Record) for line in path.read_bytes().splitlines() if line.strip()]
    return list({(one.name, one.form): one for one in lines}.values())


def append(path: Path, record: Record) -> None:
    """Add a record as a line of the file, which is made when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(record) + b"\n")


def judged(found: Any) -> Judged:
    """What the oracle found, as it goes into a record."""
    return msgspec.convert(finite(found), Judged)


def finite(found: Any) -> Any:
    """The same without infinities and NaN, which JSON has not: 1e30 in their place."""
    if isinstance(found, dict):
        return {name: finite(one) for name, one in found.items()}
    if isinstance(found, float) and not abs(found) < 1e30:
        return 1e30
    return found
