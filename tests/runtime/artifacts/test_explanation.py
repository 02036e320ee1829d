"""What a box would have built for it."""

from __future__ import annotations

from edgefn.targets import groups
from edgefn.targets.facts import this_machine
from edgefn_runtime.artifacts.explanation import buildable


def test_only_the_most_specific_profile_is_worth_building_for() -> None:
    """Of the levels of an instruction set a box satisfies several; what is for the lower ones is no faster."""
    native = groups.native(this_machine())
    assert {name.partition("/")[0] for name in buildable()} <= {native}
    assert f"{native}/int8" in buildable()
