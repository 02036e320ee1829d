"""The exporter's optimiser, with constants that are the numbers they are.

Its rules leave out `x + 0` and `x * 1`, and take for 0 whatever is within 1e-8 of it: the 1e-12 that keeps a quotient
or a logarithm of zeros finite was lost, for every engine. Owns how constants are compared; never which rules there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def exact() -> Iterator[None]:
    """Make a rule of the optimiser apply where a constant equals the rule's, not where it is only near.

    Holds within the block.
    """
    from onnxscript.rewriter._matcher import SimplePatternMatcher

    usual = SimplePatternMatcher._match_constant

    def matched(self: Any, pattern: Any, value: Any) -> bool:
        pattern._rel_tol = pattern._abs_tol = 0.0
        return bool(usual(self, pattern, value))

    # It has no option for it; mypy forbids to replace a method.
    SimplePatternMatcher._match_constant = matched  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        SimplePatternMatcher._match_constant = usual  # type: ignore[method-assign]
