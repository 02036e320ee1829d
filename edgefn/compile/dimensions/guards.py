"""What torch.export found out about free lengths: its guards, as conditions on the words of the spec, and ranges.

A guard is a condition that held for the example inputs and that the program relies on. Those of `_guards_code` are
Python expressions over the inputs' sizes (https://docs.pytorch.org/docs/stable/export.html). Reads programs; never
exports or runs one.
"""

from __future__ import annotations

import ast
import itertools
import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import not_
from types import CodeType, SimpleNamespace
from typing import TYPE_CHECKING, TypeVar

import msgspec

from edgefn.dimensions.sizes import intersection, nearest
from edgefn.spec import MAX_DIMENSION, ModelSpec, SizeRange

if TYPE_CHECKING:
    import torch

Lengths = Mapping[str, int]
T = TypeVar("T")

_SIZE = re.compile(r"L\['(\w+)'\](?:\[(\d+)\])?\.size\(\)\[(\d+)\]")
_TORCH = SimpleNamespace(
    **{"sym_max": max, "sym_min": min, "sym_int": int, "sym_float": float, "sym_not": not_},
    **{"sym_sqrt": math.sqrt, "_sym_sqrt": math.sqrt},
)
"""What torch's own functions on sizes do with numbers."""
_FUNCTIONS = {
    **{"__builtins__": {}, "max": max, "min": min, "abs": abs, "round": round},
    **{"int": int, "float": float, "bool": bool, "math": math, "torch": _TORCH},
    **{f"OpaqueUnaryFn_{name}": getattr(math, name) for name in ("exp", "log", "asinh")},  # torch has no other name
    "Where": lambda condition, value, other: value if condition else other,
}
_FEW = 2
"""Guards on what is over this tell how memory lies, far more often than what is right."""
_DENSE = 128
"""Lengths next to the example that are all tried, on each side; beyond, every power of two and what guards name."""
_DRAWS = 8
_ABOVE = 4
"""Steps from the least length of each word on that are tried together, where a guard is to hold from there on."""
_MEETINGS = 24
"""Steps from the least length of each of two words that may not be alike that are tried together."""
FAR = 1024
"""Times the example's length: as far as words without a limit are tried together."""


class Tied(Exception):  # no error: the caller says what it means
    """Free dimensions depend on each other; `condition` states how, in their words."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


class Fixed(Exception):
    """Dimensions that are declared free and are not, with the only length of each."""

    def __init__(self, lengths: dict[str, int]) -> None:
        super().__init__(lengths)
        self.lengths = lengths


@dataclass(frozen=True)
class LengthCondition:
    """A condition on the lengths of `words`; `text` is for people."""

    text: str
    words: tuple[str, ...]
    source: str

    @cached_property
    def _code(self) -> CodeType:
        return compile(self.source, "<guard>", "eval")

    def holds(self, lengths: Lengths) -> bool:
        """Tell whether the lengths fulfil the condition.

        A condition that cannot be computed for them, e.g. x % 0, is not fulfilled.
        """
        values = {f"v{number}": lengths[word] for number, word in enumerate(self.words)}
        try:
            return bool(eval(self._code, _FUNCTIONS, values))  # torch wrote it, and it has no builtins
        except (ArithmeticError, ValueError):
            return False

    @cached_property
    def is_suspect(self) -> bool:
        """Tell whether the condition may be about memory alone: `!= 1`, `> 1`.

        Only a run at such a length shows it.
        """
        match ast.parse(self.source, mode="eval").body:
            case ast.Compare(ops=[ast.NotEq()]):
                return True
            case ast.Compare(ops=[ast.Gt() | ast.GtE()], comparators=[ast.Constant(value=few)]):
                return isinstance(few, int) and few <= _FEW
            case ast.Compare(left=ast.Constant(value=few), ops=[ast.Lt() | ast.LtE()]):
                return isinstance(few, int) and few <= _FEW
        return False

    @cached_property
    def is_floor(self) -> bool:
        """Tell whether the condition may be about the least lengths alone.

        That is a suspect with a number, as `height * width != 1`.
        """
        return self.is_suspect and not self.is_unlike

    @cached_property
    def is_unlike(self) -> bool:
        """Tell whether it keeps lengths from being alike, as `height != width`: no range of one says that."""
        match ast.parse(self.source, mode="eval").body:
            case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]):
                return len(self.words) > 1 and not any(isinstance(side, ast.Constant) for side in (left, right))
        return False

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers that it names: limits lie there."""
        return tuple(int(number) for number in re.findall(r"(?<!v)\b\d+", self.source))


def guards_of(program: torch.export.ExportedProgram, spec: ModelSpec) -> list[LengthCondition]:
    """Return the program's guards on free lengths, and the limits of each.

    Guards on fixed sizes are left out.
    """
    shapes = [tensor.shape for tensor in spec.inputs.values()]
    return [guard for text in (*program._guards_code, *_limits(program)) if (guard := _read(text, shapes)) is not None]


def _limits(program: torch.export.ExportedProgram) -> Iterable[str]:
    """Yield the ranges of the program's symbols, as conditions.

    torch gives some limits only in this form.
    """
    wanted = set(program.graph_signature.user_inputs)
    placeholders = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    for number, node in enumerate(placeholders):
        for axis, size in enumerate(node.meta["val"].shape):
            limits = program.range_constraints.get(getattr(getattr(size, "node", None), "expr", None))
            if limits is not None:
                here = f"L['_'][{number}].size()[{axis}]"
                yield f"{here} >= {int(limits.lower)}"
                if limits.upper.is_Integer:  # else it is torch's infinity
                    yield f"{here} <= {int(limits.upper)}"


def _read(text: str, shapes: Sequence[Sequence[int | str]]) -> LengthCondition | None:
    words: dict[str, str] = {}

    def named(match: re.Match[str], *, code: bool) -> str:
        size = shapes[int(match[2] or 0)][int(match[3])]
        if isinstance(size, int):
            return str(size)
        variable = words.setdefault(size, f"v{len(words)}")
        return variable if code else size

    source = _SIZE.sub(lambda match: named(match, code=True), text)
    if not words:
        return None
    try:
        ast.parse(source, mode="eval")
    except SyntaxError:  # no condition on sizes alone
        return None
    return LengthCondition(_SIZE.sub(lambda match: named(match, code=False), text), tuple(words), source)


def words_of(sources: Mapping[str, T], spec: ModelSpec) -> dict[T, str]:
    """Return the words of torch's symbols, by the `sources` of inputs' sizes."""
    shapes = [tensor.shape for tensor in spec.inputs.values()]
    found = ((one, _SIZE.fullmatch(source)) for source, one in sources.items())
    sizes = ((one, shapes[int(match[2] or 0)][int(match[3])]) for one, match in found if match)
    return {one: size for one, size in sizes if isinstance(size, str)}


def ranges_of(
    guards: Sequence[LengthCondition], example: Lengths, declared: Mapping[str, SizeRange]
) -> dict[str, SizeRange]:
    """Return each word's lengths for which all `guards` hold, whatever the other words' lengths are.

    They are within the declared ones, and form the run of equal steps around the example's length that has the most
    lengths. Raises Fixed where a run is a single length, and Tied where no ranges express it.
    """
    free = {word: declared.get(word, SizeRange()) for word in example}
    runs = [guard for guard in guards if not guard.is_unlike]
    alone = {word: _run(word, runs, [example], example, free[word]) for word in example}
    if fixed := {word: found.min for word, found in alone.items() if found.min == found.max}:
        raise _together(fixed, guards, example) or Fixed(fixed)
    source = random.Random(0)  # no secret
    draws = [example, *(_drawn(alone, example, source) for _ in range(_DRAWS))]
    floors = [guard for guard in runs if len(guard.words) > 1 and guard.is_floor]
    others = [guard for guard in runs if guard not in floors]
    joint = {
        word: _run(word, others, _beside(word, draws, example, others), example, found, found.multiple_of)
        for word, found in alone.items()
    }
    joint = _above_the_least(joint, floors, example)
    tried = (*_corners(joint, example), *(_drawn(joint, example, source) for _ in range(4 * _DRAWS)))
    for lengths in itertools.chain(tried, *(_meetings(guard, joint, example) for guard in guards)):
        if broken := next((guard for guard in guards if not guard.holds(lengths)), None):
            raise Tied(broken.text)
    if fixed := {word: found.min for word, found in joint.items() if found.min == found.max}:
        raise Tied(next(guard.text for guard in guards if set(fixed) & set(guard.words) and len(guard.words) > 1))
    return joint


def _above_the_least(
    joint: Mapping[str, SizeRange], guards: Sequence[LengthCondition], example: Lengths
) -> dict[str, SizeRange]:
    """Raise least lengths until a guard such as `batch * height * width != 1` holds for them all at once.

    Those of one word where that is enough, the last first: a batch of one is the most usual, and the first word.
    """
    ranges = dict(joint)
    for guard in guards:
        words = [word for word in example if word in guard.words]
        choices = [*([word] for word in reversed(words)), words]
        ranges |= next(filter(None, (_raised(one, guard, ranges, example) for one in choices)), {})
    return ranges


def _raised(
    words: Sequence[str], guard: LengthCondition, ranges: Mapping[str, SizeRange], example: Lengths
) -> dict[str, SizeRange]:
    """Raise the least lengths of `words` until the guard holds from there on.

    Returns {} where it does not up to `example`.
    """
    least = {word: ranges[word].min for word in guard.words}

    def holds(more: Sequence[int]) -> bool:
        grown = {word: least[word] + step * ranges[word].multiple_of for word, step in zip(least, more, strict=True)}
        return guard.holds({**example, **grown})

    while not all(map(holds, itertools.product(range(_ABOVE), repeat=len(least)))):
        least |= {word: least[word] + ranges[word].multiple_of for word in words}
        if any(least[word] > example[word] for word in words):
            return {}
    return {word: msgspec.structs.replace(ranges[word], min=length) for word, length in least.items()}


def _together(fixed: Lengths, guards: Sequence[LengthCondition], example: Lengths) -> Tied | None:
    """Find the tie of words of which none can change alone and all can change at once.

    An example is `height == width`.
    """
    ties = [guard for guard in guards if len(set(guard.words) & set(fixed)) > 1]
    for factor, more in ((1, 1), (2, 0), (1, 2), (3, 0)):
        moved = {**example, **{word: length * factor + more for word, length in fixed.items()}}
        if ties and all(guard.holds(moved) for guard in guards):
            return Tied(ties[0].text)
    return None


def _corners(ranges: Mapping[str, SizeRange], example: Lengths) -> Iterable[dict[str, int]]:
    """Return all combinations of each word's least and greatest length.

    A tie of several words shows there first.
    """
    ends = [
        (allowed.min, nearest(allowed, FAR * example[word]) if allowed.max is None else allowed.max)
        for word, allowed in ranges.items()
    ]
    return (dict(zip(ranges, corner, strict=True)) for corner in itertools.product(*ends))


def _meetings(guard: LengthCondition, ranges: Mapping[str, SizeRange], example: Lengths) -> Iterator[dict[str, int]]:
    """Yield the least lengths of two words that may not be equal, each with each.

    Corners and draws seldom meet.
    """
    if not guard.is_unlike or len(guard.words) != 2:
        return
    allowed = [ranges[word] for word in guard.words]
    for low in (0, max(one.min for one in allowed)):
        starts = [nearest(one, max(one.min, low)) for one in allowed]
        for steps in itertools.product(range(_MEETINGS), repeat=2):
            met = [start + step * one.multiple_of for start, one, step in zip(starts, allowed, steps, strict=True)]
            if all(map(SizeRange.__contains__, allowed, met)):
                yield {**example, **dict(zip(guard.words, met, strict=True))}


def _beside(word: str, draws: Sequence[Lengths], example: Lengths, guards: Sequence[LengthCondition]) -> list[Lengths]:
    """Return the draws that fit together with the example's own length of `word`.

    The other draws show a tie, which is found later.
    """
    return [one for one in draws if all(guard.holds({**one, word: example[word]}) for guard in guards)]


def _drawn(ranges: Mapping[str, SizeRange], example: Lengths, source: random.Random) -> dict[str, int]:
    """Draw random lengths, each in its range, mostly around the example's."""
    return {word: drawn(allowed, example[word], source) for word, allowed in ranges.items()}


def drawn(allowed: SizeRange, around: int, source: random.Random) -> int:
    """Draw a length of a range, evenly on a logarithmic scale up to four times `around`."""
    most = min(allowed.max or MAX_DIMENSION, max(4 * around, allowed.min + 8 * allowed.multiple_of))
    length = round(math.exp(source.uniform(math.log(max(1, allowed.min)), math.log(max(1, most)))))
    return nearest(allowed, length)


def _run(
    word: str,
    guards: Sequence[LengthCondition],
    contexts: Sequence[Lengths],
    example: Lengths,
    allowed: SizeRange,
    least_step: int = 1,
) -> SizeRange:
    """Find the longest run of equal steps around the example's length that fits beside all `contexts`."""
    mine = [guard for guard in guards if word in guard.words]
    if not mine:
        return allowed.tightened()

    def fits(length: int) -> bool:
        return length in allowed and all(
            guard.holds({**context, word: length}) for context in contexts for guard in mine
        )

    middle = example[word]
    named = sorted({number for guard in mine for number in guard.numbers})
    best = SizeRange(middle, middle)
    for step in range(least_step, middle + 1, least_step):
        if _count(best) >= MAX_DIMENSION // step:
            break
        if middle % step == 0:
            run = SizeRange(_end(fits, middle, -step, named), _end(fits, middle, step, named), step)
            best = max(best, run, key=_count)
    return SizeRange(best.min, None if best.max == _top(best.multiple_of) else best.max, best.multiple_of)


def _count(run: SizeRange) -> int:
    assert run.max is not None
    return (run.max - run.min) // run.multiple_of


def _top(step: int) -> int:
    return MAX_DIMENSION - MAX_DIMENSION % step


def _end(fits: Callable[[int], bool], middle: int, step: int, named: Sequence[int]) -> int:
    """Return the last length that fits, from `middle` in steps of `step`, before one that does not."""
    far = middle // -step if step < 0 else (_top(step) - middle) // step
    marks = {1 << power for power in range(32)} | {abs(number - middle) // abs(step) for number in named}
    places = sorted({*range(1, _DENSE), *(mark + near for mark in marks for near in (-1, 0, 1)), far})
    last = 0
    for place in places:
        if not 0 < place <= far:
            continue
        if not fits(middle + place * step):
            return middle + _last_fit(fits, middle, step, last, place) * step
        last = place
    return middle + last * step


def _last_fit(fits: Callable[[int], bool], middle: int, step: int, low: int, high: int) -> int:
    while high - low > 1:
        between = (low + high) // 2
        low, high = (between, high) if fits(middle + between * step) else (low, between)
    return low


def told(found: Mapping[str, SizeRange], declared: Mapping[str, SizeRange]) -> dict[str, SizeRange]:
    """Return the ranges that say something: those declared, narrowed, and those that torch narrowed."""
    ranges = {word: intersection(found[word], declared.get(word, SizeRange(0))) for word in found}
    return {word: allowed for word, allowed in ranges.items() if word in declared or allowed not in _ANY}


_ANY = (SizeRange(), SizeRange(0))
