"""Panels one below the other with a common time axis, drawn as SVG. Numbers in, text out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT, TOP, HEIGHT, GAP, BOTTOM = 860, 64, 16, 34, 130, 44, 46
GREY, LIGHT, INK = "#6b7280", "#e5e7eb", "#111827"

Points = Sequence[tuple[float, float]]


@dataclass
class Panel:
    """One chart: values from `least` to `most`, lines at `ticks`, on a logarithmic scale where `log`."""

    title: str
    least: float
    most: float
    ticks: Sequence[float]
    log: bool = False
    marks: list[tuple[str, str, Points]] = field(default_factory=list)
    """(area, line or dots; colour; points): drawn in this order."""

    def height_of(self, value: float) -> float:
        """Pixels above the panel's floor; what lies beyond an edge is drawn on it."""
        value = min(max(value, self.least), self.most)
        if self.log:
            return HEIGHT * math.log(value / self.least) / math.log(self.most / self.least)
        return HEIGHT * (value - self.least) / (self.most - self.least)


def svg(panels: Sequence[Panel], seconds: float, legend: Iterable[tuple[str, str]] = ()) -> str:
    """The panels over 0 to `seconds`; the legend stands in the last one's title line."""
    full = TOP + len(panels) * HEIGHT + (len(panels) - 1) * GAP + BOTTOM
    box = f'viewBox="0 0 {WIDTH} {full}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{full}" fill="white"/>',
    ]
    for place, panel in enumerate(panels):
        floor = TOP + HEIGHT + place * (HEIGHT + GAP)
        parts += _drawn(panel, floor, seconds)
    parts += _legend(legend, TOP + (len(panels) - 1) * (HEIGHT + GAP) - 9)
    for second in range(0, int(seconds) + 1, 5):
        parts.append(_text(_x(second, seconds), full - BOTTOM + 18, str(second), "middle", GREY))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, full - 8, "seconds", "middle", GREY))
    return "\n".join([*parts, "</svg>"]) + "\n"


def steps(points: Points, until: float) -> list[tuple[float, float]]:
    """Each value held until the next one comes, the last until `until`."""
    drawn: list[tuple[float, float]] = []
    for place, (at, value) in enumerate(points):
        end = points[place + 1][0] if place + 1 < len(points) else until
        drawn += [(at, value), (end, value)]
    return drawn


def _drawn(panel: Panel, floor: float, seconds: float) -> Iterable[str]:
    yield _text(LEFT, floor - HEIGHT - 9, panel.title, "start", INK, bold=True)
    for tick in panel.ticks:
        y = floor - panel.height_of(tick)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{LIGHT}"/>'
        yield _text(LEFT - 8, y + 4, f"{tick:g}", "end", GREY)
    for kind, colour, points in panel.marks:
        places = [(_x(at, seconds), floor - panel.height_of(value)) for at, value in points]
        yield _mark(kind, colour, places, floor)


def _mark(kind: str, colour: str, places: Points, floor: float) -> str:
    if kind == "dots":
        # One path of lines without length: their round ends are the dots.
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
        return f'<path d="{dots}" stroke="{colour}" stroke-width="4.5" stroke-linecap="round" stroke-opacity=".6"/>'
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    if kind == "area" and places:
        closed = f"M{places[0][0]:.1f} {floor}L{line}L{places[-1][0]:.1f} {floor}Z"
        return f'<path d="{closed}" fill="{colour}" fill-opacity=".25"/>'
    return f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>' if places else ""


def _legend(entries: Iterable[tuple[str, str]], y: float) -> Iterable[str]:
    x = WIDTH - RIGHT
    for colour, words in reversed(list(entries)):
        yield _text(x, y, words, "end", GREY)
        x -= 7 * len(words) + 10
        yield f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{colour}"/>'
        x -= 16


def _x(at: float, seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / seconds


def _text(x: float, y: float, words: str, anchor: str, colour: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(words)}</text>'
