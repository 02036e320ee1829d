"""A box with every function of tests/clients/functions on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.catalogue import bundles
from tests.e2e.box import RunningBox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def kinds_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """One box for all clients."""
    folder = tmp_path_factory.mktemp("clients")
    with RunningBox(folder / "box") as box:
        for bundle in bundles(folder / "bundles"):
            box.deploy(bundle)
        yield box
