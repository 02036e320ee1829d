"""A golden question inside an instance: run the handler on the sample's request, and compare with eager's answer.

Loaded when the first question comes: serving requests never needs it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.judging import comparison, mismatch
from edgefn.accuracy.answers.limits import limits_for
from edgefn.accuracy.answers.record import Mismatch, Question
from edgefn.codec.request.signature import Request
from edgefn.codec.type_hints import hints_of
from edgefn.function import EdgeFunction


class Comparison:
    """The question in `body`, for `function`."""

    def __init__(self, function: EdgeFunction[..., object], body: bytes | bytearray) -> None:
        self._function = function
        self._question = msgspec.msgpack.decode(body, type=Question)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Return the handler's arguments. Raises InputError where the sample does not fit them."""
        asked = self._question.asked
        return self._function.signature.decode(Request(asked.content_type, self._question.body, ""))

    def judged(self, result: object) -> bytes:
        """Return how the handler's `result` differs from eager's, encoded: a Mismatch, or nil."""
        asked = self._question
        limits = limits_for(asked.precision)
        compare = comparison(limits, asked.spreads, self._function.judge, hints_of(self._function.handler).result)
        return msgspec.msgpack.encode(mismatch(asked.asked.name, asked.expected, record.encode(result), compare))

    def raised(self, error: BaseException) -> bytes:
        """Return the encoded Mismatch for an `error` that the handler or the author's comparison raised."""
        question = self._question
        reason = f"raises {type(error).__name__}: {error}"
        return msgspec.msgpack.encode(Mismatch(question.asked.name, record.shown(question.expected), "", reason))
