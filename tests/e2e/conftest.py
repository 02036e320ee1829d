"""What several tests of a whole box need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import engines


@pytest.fixture
def library(tmp_path: Path) -> engines.Library:
    """An engine of somebody else's, to be put on a box's path."""
    return engines.Library(tmp_path / "library")
