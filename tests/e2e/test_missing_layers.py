"""A box whose kernel lacks layers of isolation: what it takes, and where it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import programs
from tests.e2e.box import Refused, RunningBox, is_root
from tests.e2e.bundles import Bundles

LACKING = programs.command("tests.runtime.kernel", "landlock+namespaces")
NO_FILTERS = programs.command("tests.runtime.kernel", "seccomp")
ALLOWED = ("--allow-missing", "namespaces", "--allow-missing", "files")
as_root = pytest.mark.skipif(not is_root(), reason="a box that is not root does not require isolation by itself")


def lacking(home: Path, *options: str, requires: str = "") -> RunningBox:
    """Return a box without Landlock and namespaces."""
    before = ("env", f"EDGEFN_REQUIRE_ISOLATION={requires}", *LACKING) if requires else tuple(LACKING)
    return RunningBox(home, before=before, options=options)


@as_root
def test_a_box_of_root_requires_isolation_unless_the_operator_does_without(tmp_path: Path, bundles: Bundles) -> None:
    """Refused with what is missing and the options; with them it is taken, and they are no longer told as missing."""
    with lacking(tmp_path / "box") as box:
        with pytest.raises(Refused, match=r"cannot isolate functions as required.*--allow-missing namespaces"):
            box.deploy(bundles.of("brief"))
        assert {"namespaces", "own_root", "files"} <= set(box.info().missing_isolation)
    with lacking(tmp_path / "box", *ALLOWED) as box:
        box.deploy(bundles.of("brief"))
        box.call("brief")
        missing = set(box.status("brief").missing_isolation)
        assert missing.isdisjoint({"namespaces", "files"})
        assert {"own_root", "own_pids"} <= missing


@as_root
def test_a_box_without_filters_of_system_calls_runs_nothing_unless_it_is_told(tmp_path: Path, bundles: Bundles) -> None:
    """Of the three layers that are the least, this one alone is missing."""
    with RunningBox(tmp_path / "box", before=NO_FILTERS) as box:
        with pytest.raises(Refused, match=r"cannot isolate functions as required.*--allow-missing system_calls"):
            box.deploy(bundles.of("brief"))
        assert "functions run without the isolation layer system_calls" in box.words()
    with RunningBox(tmp_path / "box", before=NO_FILTERS, options=("--allow-missing", "system_calls")) as box:
        box.deploy(bundles.of("brief"))
        box.call("brief")
        assert "system_calls" not in box.status("brief").missing_isolation


@pytest.mark.parametrize("requires", ["true", "false"])
def test_the_option_decides_whoever_the_box_is(tmp_path: Path, bundles: Bundles, requires: str) -> None:
    """And what is missing is said at the start, in the status of the box and of the function."""
    with lacking(tmp_path / "box", requires=requires) as box:
        if requires == "true":
            with pytest.raises(Refused, match="cannot isolate functions as required"):
                box.deploy(bundles.of("brief"))
            return
        box.deploy(bundles.of("brief"))
        assert "functions run without the isolation layer namespaces" in box.words()
        assert "namespaces" in box.status("brief").missing_isolation
        assert "namespaces" in box.info().missing_isolation
