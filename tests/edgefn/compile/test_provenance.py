"""What a captured program says of its outputs: whether rows of equal scores may come in any order."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn.compile import provenance
from edgefn.compile.capture import capture
from tests.edgefn.compile.networks import network, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("forward", "sorts"),
    [
        (lambda net, x: x.topk(3), True),
        (lambda net, x: x.flatten().sort().values, True),
        (lambda net, x: (1 - x.sigmoid()).cumprod(1), False),
        (lambda net, x: x.argmax(1), False),
    ],
)
def test_only_what_sorts_has_ties(forward: Any, sorts: bool) -> None:
    """A curve that falls is none that was sorted."""
    captured = capture(session(network(forward)))
    assert provenance.network(captured.program, list(captured.model.outputs)).sorts is sorts
