"""A network that keeps its state in a buffer is refused with the way out; written that way, it builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.long
@pytest.mark.parametrize("samples", [1, 6])
def test_a_state_in_a_buffer_is_refused(tmp_path: Path, samples: int) -> None:
    """Also with a single sample, for which the first answer is the right one; in a line, without a trace."""
    case = Case("buffer_state", tmp_path)
    case.edit("SAMPLES = 1", f"SAMPLES = {samples}")
    outcome = case.build()
    assert (outcome.exit_code, outcome.last["error"], outcome.last["trace"]) == (8, "BuildError", "")
    said = outcome.last["detail"]
    for part in ("model smoother", "depend on earlier calls", "self.hidden", "an input and an output"):
        assert part in said
    assert len(said.splitlines()) == 1
    assert len(outcome.stderr.splitlines()) <= 2
