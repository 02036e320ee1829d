"""What this box can run, by what is installed on it now."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.bundle.config import ArtifactEntry
from edgefn.targets.needs import Needs
from edgefn.targets.profiles import targets
from edgefn_runtime.artifacts import capability

ENTRY = ArtifactEntry("net", "our-board/fp32", "onnxruntime", needs=Needs(library="an-engine", versions=">=2"))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What a test installs is forgotten after it."""
    yield
    capability.look_again()


def _install(folder: Path, version: str) -> None:
    """A distribution `an-engine`, as pip leaves it: metadata, no code."""
    info = folder / f"an_engine-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: an-engine\nVersion: {version}\n")


def test_libraries_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An artifact is for this box while a library that will do is installed; the refusal says what is there."""
    monkeypatch.syspath_prepend(str(tmp_path))
    assert capability.refusals([ENTRY])[ENTRY.path].has == "no an-engine"
    _install(tmp_path, "1.4")
    assert capability.available([ENTRY]) == ()  # what was read is kept until somebody asks to look again
    capability.look_again()
    assert capability.refusals([ENTRY])[ENTRY.path].has == "an-engine 1.4"
    shutil.rmtree(tmp_path / "an_engine-1.4.dist-info")
    _install(tmp_path, "2.0")
    capability.look_again()
    assert capability.available([ENTRY]) == (ENTRY,)
    assert capability.refusals([ENTRY]) == {}
    shutil.rmtree(tmp_path / "an_engine-2.0.dist-info")
    capability.look_again()
    assert capability.refusals([ENTRY])[ENTRY.path].has == "no an-engine"


def test_each_target_is_satisfied_or_refused() -> None:
    """None is both, none is left out; portable/fp32 is what every box satisfies."""
    satisfied, refused = capability.targets()
    assert "portable/fp32" in satisfied
    assert sorted([*satisfied, *(why.artifact for why in refused)]) == sorted(targets())
