"""Sizes of outputs as expressions in the words of the inputs' free dimensions: "2*batch", "length // 4 + 1".

Whole numbers, words, `+ - * // %`, unary minus, `min(...)` and `max(...)`, nothing else: an expression of a bundle from
elsewhere can compute a number and do nothing more. A size that no expression gives, e.g. the number of boxes, is a word
that no input has. Never imports NumPy.
"""

from __future__ import annotations

import _ast as ast  # the C part alone: the module `ast` takes a millisecond to import
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from edgefn.spec import Dimension, TensorSpec

Lengths = Mapping[str, int]
Shapes = tuple[tuple[int | None, ...], ...]
"""Of each output; None for a size that nothing says."""

MAX_LENGTH = 500
"""Characters of an expression; torch's longest in a hundred networks has 120."""

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
_ONLY_PARSE = 0x400  # ast.PyCF_ONLY_AST


def is_size(text: str, words: Iterable[str]) -> bool:
    """Tell whether `text` is an expression in these words alone."""
    try:
        tree = compile(text, "<size>", "eval", _ONLY_PARSE) if len(text) <= MAX_LENGTH else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return isinstance(tree, ast.Expression) and _is_allowed(tree.body, frozenset(words))


def shapes_of(outputs: Sequence[TensorSpec], words: Sequence[str]) -> Callable[[Lengths], Shapes]:
    """Compile the outputs' shapes to a function of the lengths by word.

    The function raises ZeroDivisionError like `//`.
    """
    names = {word: f"v{number}" for number, word in enumerate(words)}
    rows = ["(" + "".join(f"{_source(size, names)}, " for size in one.shape) + ")" for one in outputs]
    parameters = ", ".join(names.values())
    scope: dict[str, Any] = {"__builtins__": {}, "min": min, "max": max}
    compute = eval(f"lambda {parameters}: ({''.join(f'{row}, ' for row in rows)})", scope)
    return lambda lengths: compute(*map(lengths.__getitem__, names))


def _source(size: Dimension, names: Mapping[str, str]) -> str:
    if isinstance(size, int):
        return str(size)
    if size in names:
        return names[size]
    return _renamed(size, names) if is_size(size, names) else "None"


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Rename the words of the expression in one pass, because a word may be part of another."""
    import re

    return re.sub(r"[^\W\d]\w*", lambda match: names.get(match[0], match[0]), text)


def _is_allowed(node: Any, words: frozenset[str]) -> bool:
    match node:
        case ast.Constant(value=int() as value):
            return not isinstance(value, bool)
        case ast.Name(id=name):
            return name in words
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_allowed(operand, words)
        case ast.BinOp(left=left, op=operator, right=right):
            return isinstance(operator, _OPERATORS) and _is_allowed(left, words) and _is_allowed(right, words)
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[_, _, *_] as arguments, keywords=[]):
            return name not in words and all(_is_allowed(one, words) for one in arguments)
    return False
