"""docs/operators.md: which operators of PyTorch an artifact can have, and which are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.operators import known
from benchmarks.operators.screen import Outcome, State

_HEAD = """# Operators that were tried

Made by `make operators`. Each operator of PyTorch's own table of tests is called in some ways that are unlike, exported
as a build does, run by ONNX Runtime, and held against eager PyTorch: for normal, equal, half, tenth, large and tiny
numbers, for whole ones beyond 2^24, and with its sizes free at other sizes than the example's. A build's gate sees
the samples' numbers and sizes; this sees the others. Infinities and NaN are not among them: NaN
is declined where an engine would lose it, and so are infinite inputs of which it is made before; take both out in the
handler. Other engines' steps are tried by each build ([decision](decisions/operators.md)).

| sign | |
| --- | --- |
| right | every call that was tried has eager's answer, for all numbers and sizes |
| some | some calls are right, the others are refused |
| refused | a build says so, with the operator and the line that has it |
| **wrong** | an answer that is not eager's |

"""


def render(outcomes: Sequence[Outcome], names: Sequence[str]) -> str:
    """Return the document; `names` are the operators that are to be screened."""
    todo = sorted(set(names) - {one.operator for one in outcomes})
    left = f"\n- not screened yet, or with no call that has an answer: {', '.join(todo)}" if todo else ""
    return _HEAD + summary(outcomes) + left + "\n\n" + "\n".join(_rows(outcomes)) + "\n\n" + _left_out()


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the counts."""
    lines = []
    for free, title in ((False, "fixed"), (True, "free")):
        states = [_state(ones) for ones in _grouped(outcomes, free=free).values()]
        counts = [f"{states.count(sign)} {sign.strip('*')}" for sign in ("right", "some", "refused", "**wrong**")]
        lines.append(f"- operators, {title} sizes: {', '.join(counts)}, of {len(states)}")
    return "\n".join(lines)


def _rows(outcomes: Sequence[Outcome]) -> Iterator[str]:
    fixed, free = (_grouped(outcomes, free=one) for one in (False, True))
    yield "| operator | fixed sizes | free sizes |\n| --- | --- | --- |"
    for name in sorted(fixed):
        yield f"| {name} | {_state(fixed[name])} | {_state(free[name]) if name in free else '–'} |"


def _grouped(outcomes: Sequence[Outcome], *, free: bool) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        if one.free is free:
            found.setdefault(one.operator, []).append(one)
    return found


def _state(outcomes: Sequence[Outcome]) -> str:
    states: set[State] = {one.state for one in outcomes}
    if "wrong" in states:
        return "**wrong**"
    return "some" if len(states) > 1 else next(iter(states))


def _left_out() -> str:
    rows = "\n".join(f"| {pattern} | {why} |" for pattern, why in known.LEFT_OUT.items())
    return f"## Left out\n\n| operators | why |\n| --- | --- |\n{rows}\n"
