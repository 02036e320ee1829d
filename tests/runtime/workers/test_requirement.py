"""What a box must enforce to take deployments, and what it says of what it lacks."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import DeploymentRefused
from edgefn_runtime.workers.isolation import LAYERS, REQUIRED, Requirement
from tests.runtime.pool.bench import Bench, OnBench

FOUND = st.fixed_dictionaries({name: st.one_of(st.just(True), st.just("not here")) for name in LAYERS})


@given(found=FOUND, required=st.booleans(), allowed=st.lists(st.sampled_from([*LAYERS]), max_size=3))
def test_nothing_is_missing_in_silence(found: dict[str, bool | str], required: bool, allowed: list[str]) -> None:
    """A layer is enforced, said to be missing, or allowed to be; deployments are refused without the least."""
    requirement = Requirement(required, tuple(allowed))
    enforced = {name for name, how in found.items() if how is True}
    assert set(LAYERS) - enforced - set(allowed) == set(requirement.missing(found))
    lacks = any(not set(group) & (enforced | set(allowed)) for group in REQUIRED)
    assert bool(requirement.refusal(found)) == (required and lacks)


def test_a_refusal_says_what_to_do() -> None:
    """Which layer, why not, and how to do without; doing so lets the deployment through."""
    found: dict[str, bool | str] = dict.fromkeys(LAYERS, True)
    found |= {"own_root": "needs namespaces", "files": "landlock: none"}
    with pytest.raises(DeploymentRefused, match=r"own_root: needs namespaces; files: landlock.*--allow-missing files"):
        Requirement(required=True).check(found)
    Requirement(required=True, allowed=("files",)).check(found)
    Requirement().check(found)


def test_a_box_warns_of_each_missing_layer(on_bench: OnBench, caplog: pytest.LogCaptureFixture) -> None:
    """In its log at the start, in its status, and to who deploys."""
    caplog.set_level(logging.WARNING)

    async def test(bench: Bench) -> None:
        told = await bench.supervisor.isolated()
        assert "this box does not enforce memory (this machine has no control group of this kind)" in told
        assert (
            "functions run without the isolation layer memory: this machine has no control group of this kind"
            in caplog.messages
        )
        assert {"memory", "processes", "cpu"} <= set(bench.supervisor.missing)
        assert len(told) == len(bench.supervisor.missing)

    on_bench(test, [])
