"""Actions masked with minus infinity, as every reinforcement-learning repository does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cases import held_out
from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.long
def test_masks_of_minus_infinity_build_and_stay_where_they_are(tmp_path: Path) -> None:
    """The network is no longer refused for them; masks and scores are eager's for inputs never seen."""
    case = Case("masked_logits", tmp_path)
    row = case.built().rows["portable/fp32"]
    assert (row["status"], row["verdict"]) == ("built", "right")
    artifact = held_out.session(case, "portable/fp32", tmp_path / "artifact")
    for inputs in map(case.module.draw, range(500, 520)):
        found = np.asarray(next(iter(artifact.run(inputs).values())), np.float32)
        wanted = case.eager(inputs)
        np.testing.assert_array_equal(np.isneginf(found), np.isneginf(wanted))
        np.testing.assert_allclose(found[np.isfinite(found)], wanted[np.isfinite(wanted)], rtol=1e-4, atol=1e-5)
