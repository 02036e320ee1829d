"""Draw how a right artifact and a refused one answer: `python -m benchmarks.pictures`, docs/judged-*.svg.

The detector of tests/cases is made int8 twice: by edgefn's build, and by ONNX Runtime's own static quantisation. Both
are judged by what the bundle says. A dot is a number of an answer: eager's to the right, the artifact's upwards.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.plot import GREY, INK, LIGHT
from benchmarks.zoo.plain import Plain
from edgefn import golden
from edgefn.accuracy.judge import judge
from edgefn.golden import Pairs
from edgefn.session import Session
from tests.cases import held_out
from tests.cases.case import Case

DOCS = Path(__file__).parents[1] / "docs"
PARTS = {"boxes, pixels": slice(0, 4), "scores": slice(4, 6)}
SIDE, GAP, LEFT, TOP, BELOW = 260, 70, 56, 36, 92
DOTS = 1500
"""Of a panel, drawn at random from all."""
WIDE = 96
"""Letters of a line of the caption."""
RIGHT, WRONG = "#15803d", "#b91c1c"


class Panel(NamedTuple):
    """A part of the answers: eager's numbers and the artifact's, as many of each, and the verdict's colour."""

    title: str
    eager: NDArray[Any]
    artifact: NDArray[Any]
    colour: str


def main() -> int:
    """Build, judge and draw both."""
    target = machine.int8()
    with tempfile.TemporaryDirectory(prefix="edgefn-pictures-") as scratch:
        folder = Path(scratch)
        case = Case("yolo_int8", folder)
        case.built("--target", target, "--target", "portable/fp32")
        ours = held_out.session(case, target, folder / "artifact")
        unpacked = folder / "artifact" / "unpacked"
        (portable,) = (one for one in case.bundle.config.artifacts if one.target == "portable/fp32")
        plain = Plain(unpacked / portable.path / "model.onnx", calibration(case, folder), folder)
        (entry,) = case.bundle.config.models
        pairs = golden.load_pairs(unpacked / "golden" / f"{entry.spec.name}.npz")
        sessions: dict[str, Session] = {"right": ours, "wrong": plain}
        for name, session in sessions.items():
            found = judge(session, pairs, entry.judging, "int8")
            title = f"{'edgefn build' if session is ours else 'Plain static quantisation'}: {found.verdict}"
            worst = found.slices[0].slice
            kept = f"{worst} is off by {found.error:.1%} of what it moves between samples, the others by less"
            reason = found.reason or kept
            (DOCS / f"judged-{name}.svg").write_text(svg(title, list(panels(session, pairs, found.passed)), reason))
            print(f"{title}; {reason}")
    return 0


def calibration(case: Case, folder: Path) -> list[Path]:
    """Return the function's calibration inputs as files."""
    files = []
    for number, one in enumerate(case.module.detector.calibration()):
        np.savez(folder / f"{number:03}.npz", **one)
        files.append(folder / f"{number:03}.npz")
    return files


def panels(session: Session, pairs: Pairs, passed: bool) -> Iterator[Panel]:
    """Yield a panel for each part of the answers."""
    samples = [*pairs.samples, *pairs.held_out]
    given = [(_only(one.outputs), _only(session.run(one.inputs))) for one in samples]
    eager, artifact = (np.concatenate([pair[side] for pair in given]) for side in (0, 1))
    for title, part in PARTS.items():
        both = eager[..., part].ravel(), artifact[..., part].ravel()
        chosen = np.random.default_rng(0).choice(both[0].size, DOTS, replace=False)
        chosen = np.union1d(chosen, np.argsort(both[0])[-DOTS // 5 :])
        yield Panel(title, both[0][chosen], both[1][chosen], RIGHT if passed else WRONG)


def _only(outputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    (array,) = outputs.values()
    return array


def svg(title: str, panels: Sequence[Panel], reason: str) -> str:
    """Return the panels side by side, the title above and the reason below."""
    width = LEFT + len(panels) * (SIDE + GAP) - GAP + 20
    lines = _lines(reason)
    height = TOP + 22 + SIDE + BELOW - 40 + 18 * len(lines)
    box = f'viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(LEFT, 22, title, INK, "start", bold=True),
    ]
    for place, panel in enumerate(panels):
        parts += _drawn(panel, LEFT + place * (SIDE + GAP))
    for number, line in enumerate(lines):
        parts.append(_text(LEFT, TOP + 22 + SIDE + 52 + 18 * number, line, INK, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(panel: Panel, left: float) -> Iterator[str]:
    least, most = (float(of([of(panel.eager), of(panel.artifact)])) for of in (np.min, np.max))
    floor = TOP + 22 + SIDE

    def at(value: float) -> float:
        return SIDE * (value - least) / (most - least)

    yield _text(left, TOP + 14, panel.title, INK, "start")
    yield f'<rect x="{left}" y="{floor - SIDE}" width="{SIDE}" height="{SIDE}" fill="none" stroke="{LIGHT}"/>'
    yield f'<path d="M{left} {floor}L{left + SIDE} {floor - SIDE}" stroke="{GREY}" stroke-dasharray="4 4"/>'
    dots = "".join(
        f"M{left + at(x):.1f} {floor - at(y):.1f}h0" for x, y in zip(panel.eager, panel.artifact, strict=True)
    )
    yield f'<path d="{dots}" stroke="{panel.colour}" stroke-width="3" stroke-linecap="round" stroke-opacity=".6"/>'
    for value, anchor in ((least, "start"), (most, "end")):
        told = f"{round(value, 2):.3g}"
        yield _text(left + at(value), floor + 16, told, GREY, anchor)
        yield _text(left - 6, floor - at(value) + (0 if anchor == "start" else 10), told, GREY, "end")
    yield _text(left + SIDE / 2, floor + 16, "eager", GREY, "middle")
    yield _text(left - 6, floor - SIDE / 2, "artifact", GREY, "end")


def _lines(text: str) -> list[str]:
    return [line for part in text.split("; ")[:3] for line in textwrap.wrap(part, WIDE)]


def _text(x: float, y: float, text: str, colour: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


if __name__ == "__main__":
    sys.exit(main())
