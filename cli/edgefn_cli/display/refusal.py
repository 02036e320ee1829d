"""The page of a refused artifact: the wrong answers, the part at fault, how sure, what to do, what still serves.

Made from the build's events "check" and "answers". Pure; it must never print.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]

WIDTH = 80
_LABEL = 10
_SHOWN = 3
PORTABLE = "portable/fp32"


def page(event: Event) -> list[str]:
    """Return the lines of the page for a "check" or "answers" event, none where the artifact is right."""
    name = f"{event.get('target')} of model {event.get('model')}"
    match event.get("event"), event.get("verdict"):
        case "answers", "wrong":
            return [f"NOT SERVED: the answers of {name} differ", *_lines(_answers(event))]
        case "check", "wrong":
            return [f"NOT SERVED: {name} is wrong", *_lines(_check(event))]
        case "check", "not shown":
            return [f"NOT SHOWN: {name} is not proved right", *_lines(_check(event))]
    return []


def _answers(event: Event) -> Iterator[tuple[str, str]]:
    for one in event.get("examples", ())[:_SHOWN]:
        yield f"{one['sample']}", f"eager {one['expected']}; the artifact {one['actual']} ({one['reason']})"
    yield "how sure", f"{event['of'] - event['matched']} of {event['of']} answers differ"
    yield (
        "next",
        ("compare only what matters to your users with @my_function.match, or round in the handler before it decides"),
    )
    yield from _meanwhile(event)


def _check(event: Event) -> Iterator[tuple[str, str]]:
    for reason in str(event.get("reason", "")).split("; ")[:_SHOWN]:
        yield "what", reason
    slices = event.get("slices", ())
    if right := [str(one["slice"]) for one in slices if one["verdict"] == "right"]:
        yield "right", ", ".join(right[:_SHOWN]) + (f" and {len(right) - _SHOWN} more" * (len(right) > _SHOWN))
    yield "how sure", _sure(event, slices)
    for advice in _next(event):
        yield "next", advice
    yield from _meanwhile(event)


def _sure(event: Event, slices: Sequence[Event]) -> str:
    counts = [(event.get("samples", 0), "samples"), (event.get("sizes", 0), "other sizes")]
    told = ", ".join(f"{count} {what}" for count, what in counts if count)
    worst = next((one for one in slices if one["verdict"] == "wrong"), None)
    return told + (f"; the worst is sample {worst['sample']}" if worst else "")


def _next(event: Event) -> Iterator[str]:
    if event.get("verdict") == "not shown":
        yield "give samples in which it differs, in samples="
        yield 'or state why none is needed: accuracy=Accuracy(unproven={"output": "why"})'
        return
    if "int" in str(event.get("target")):
        yield 'keep layers in float, Quantize(keep=("head",)); give more calibration=; fine-tune, Quantize(epochs=3)'
    else:
        yield "run the network in eager PyTorch on that input, and rewrite the step that differs"
    yield "or allow a larger error: accuracy=Accuracy(error=...)"


def _meanwhile(event: Event) -> Iterator[tuple[str, str]]:
    served = "nothing: every bundle needs this artifact"
    yield (
        "served",
        served if event.get("target") == PORTABLE else "the other artifacts that were built, at least portable/fp32",
    )


def _lines(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    before = ""
    for label, text in rows:
        lead = f"  {'' if label == before else label:<{_LABEL}}"
        if len(label) > _LABEL:
            yield f"  {label}"
            lead = " " * (_LABEL + 2)
        yield from textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * (_LABEL + 2))
        before = label
