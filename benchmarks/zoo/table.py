"""docs/networks.md: a row for each network, and below the table why those that are refused are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby

from benchmarks.zoo.project import Form
from benchmarks.zoo.record import Artifact, Record

KINDS = ("portable", "float", "int8")
HEAD = """# Networks that were tried

Made by `make zoo`; [frameworks.md](frameworks.md) tells how to bring one. Each network is built twice, as users build:
with all sizes fixed, and with every size free that its author would leave free (batch, height and width, length, time).
Weights are random, spread so that every branch works. Nothing is downloaded.

An **error** is that of an oracle which shares no code with the build's own gate: RMS(artifact − eager) over how far
eager's answer moves from one input to another, in the worst group of channels, on inputs that the build never saw. An
artifact that ignores its input scores 1. With free sizes the worst of all sizes tried is shown; 1, odd and larger ones
are among them. The **share** beside it is that of equal answers: the largest number of the first output, along its last
axis, stands where eager's does; none is told where all are. **int8** is the better of the two engines'; *plain* is
ONNX Runtime's static quantisation of the same network, without a gate. **÷ eager** is the fastest artifact's time over
eager PyTorch's, one thread each. Seconds are of the whole build. Times are rough: networks were built side by side.

| sign | |
| --- | --- |
| refused, n | the build says why: [below](#what-is-refused-and-why) |
| – | not asked for |
| n sizes fail | eager has an answer at n of the sizes tried, a box has a 400 with the range that it takes |
| **wrong** | an answer that is not eager's was let through |
"""


def render(records: Sequence[Record]) -> str:
    """The document."""
    processors = sorted({one.processor for one in records if one.processor})
    reasons = Reasons()
    parts = [HEAD, f"Taken on {' and '.join(processors) or 'a processor of no name'}.\n", f"{summary(records)}\n"]
    for family in sorted({one.family for one in records}):
        parts.append(f"## {family[0].upper()}{family[1:]}\n")
        parts.append(_rows([one for one in records if one.family == family], reasons))
    parts.append("## What is refused, and why\n")
    parts.append("".join(f"{number}. {reason}\n" for number, reason in enumerate(reasons.known, 1)))
    return "\n".join(parts)


def summary(records: Sequence[Record]) -> str:
    """The figures of the whole, a line each."""
    lines = [f"- networks: {len({one.name for one in records})}"]
    for form in ("fixed", "free"):
        of = [one for one in records if one.form == form]
        lines += [line for kind in KINDS if (line := _share(of, kind, form))]
    if compared := [one for one in records if one.plain_right]:
        lost = [f"{one.name} ({one.form})" for one in compared if (best := one.of("int8")) is None or not best.built]
        through = _of(len(compared) - len(lost), compared)
        lines.append(
            f"- int8 built, of those where the gate takes plain quantisation: {through} {', '.join(lost)}".rstrip()
        )
    wrong = [f"{one.name} ({one.form}) {target}" for one in records for target in one.wrongs()]
    return "\n".join([*lines, f"- wrong answers let through: {len(wrong)} {', '.join(wrong)}".rstrip(), ""])


def _share(records: Sequence[Record], kind: str, form: str) -> str:
    """How many of the artifacts of that kind are built and right; nothing where none was asked for."""
    asked = [one for one in records if one.asked(kind)]
    right = sum(1 for one in asked if (found := one.of(kind)) is not None and _right(found, kind))
    return f"- {kind}, {form} sizes, built and right: {_of(right, asked)}" if asked else ""


def _of(count: int, all_: Sequence[Record]) -> str:
    return f"{count} of {len(all_)} ({count / len(all_):.1%})"


def _right(one: Artifact, kind: str) -> bool:
    judged = one.judged
    return one.built and judged is not None and not judged.failure and not judged.wrong(int8=kind == "int8")


class Reasons:
    """Refusals by number, each once; the names of networks and of files in them are left out."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def number(self, reason: str) -> int:
        """The number of `reason`, the next one when it is new."""
        plain = re.sub(r"^(?:\S+/\S+ of )?model \w+:? |; (?:its log is|see its log) \S+", "", reason)
        if plain not in self.known:
            self.known.append(plain)
        return 1 + self.known.index(plain)


COLUMNS = (
    "network",
    "parameters",
    *(f"{form}: {kind}" for form in ("fixed", "free") for kind in KINDS),
    "plain",
    "÷ eager",
    "s",
    "MB",
)


def _rows(records: Sequence[Record], reasons: Reasons) -> str:
    """The table of a family."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"| --- |{' ---: |' * (len(COLUMNS) - 1)}"]
    for name, of in groupby(sorted(records, key=lambda one: one.name), lambda one: one.name):
        forms = {one.form: one for one in of}
        lines.append(f"| {' | '.join([name, *_cells(forms, reasons)])} |")
    return "\n".join([*lines, ""])


def _cells(forms: dict[Form, Record], reasons: Reasons) -> list[str]:
    fixed, free = forms.get("fixed"), forms.get("free")
    first = fixed if fixed is not None and not fixed.refusal else free if free is not None else fixed
    assert first is not None  # a row is of a record
    cells = [_count(first.parameters)]
    cells += [_cell(one, kind, reasons) for one in (fixed, free) for kind in KINDS]
    ratios = [one.ratio for one in first.artifacts.values() if one.ratio]
    portable = first.of("portable")
    cells += ["" if first.plain is None else f"{first.plain:.0e}", f"{min(ratios):.2f}" if ratios else ""]
    return [*cells, f"{first.seconds:.0f}", f"{portable.mb:.1f}" if portable and portable.built else ""]


def _count(parameters: int) -> str:
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.1f} M"
    return f"{parameters / 1e3:.0f} k" if parameters else ""


def _cell(record: Record | None, kind: str, reasons: Reasons) -> str:
    """An error, or why there is none."""
    if record is None:
        return "–"
    if record.refusal:
        return f"refused, {reasons.number(record.refusal)}" if record.asked(kind) else "–"
    one = record.of(kind)
    if one is None:
        return "–"
    if not one.built:
        return f"{one.status}, {reasons.number(one.reason)}"
    judged = one.judged
    if judged is None or judged.error is None:
        return f"not judged, {reasons.number(judged.failure if judged else record.fault)}"
    text = f"{max(judged.error, judged.other or 0.0):.0e}"
    if judged.equal is not None and judged.equal < 1.0:
        text += f", {math.floor(100 * judged.equal)} %"
    if judged.wrong(int8=kind == "int8"):
        return f"**wrong** {text}"
    return f"{text}, {len(judged.no_answer)} sizes fail" if judged.no_answer else text
