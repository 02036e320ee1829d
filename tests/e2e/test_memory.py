"""The memory of a box, as its users see it: what cannot fit is refused, what was measured outlives a restart."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.e2e.box import Refused, RunningBox
from tests.e2e.bundles import Bundles

Deployed = Callable[[str], RunningBox]


def test_model_too_big_rejected_at_deploy_not_hang(tmp_path: Path, bundles: Bundles) -> None:
    """A deployment that can never fit ends with 422 and the figures; what is deployed goes on."""
    with RunningBox(tmp_path / "box", options=["--memory", "200MiB"]) as box:
        box.deploy(bundles.of("hungry"))
        config = bundles.of("linear").config
        spec = msgspec.structs.replace(config.function, memory_bytes=300 * 2**20)
        large = bundles.with_config("linear", msgspec.structs.replace(config, function=spec), title="too-big")
        started = time.monotonic()
        with pytest.raises(Refused, match=r"linear needs \d+\.\d MB .* the box has 209\.7 MB for functions") as refused:
            box.deploy(large)
        assert time.monotonic() - started < 60
        assert refused.value.problem.status == 422
        assert [status.name for status in box.functions()] == ["hungry"]
        assert box.call("hungry", mebibytes=8) == 8 * 2**20
        told = box.info().memory
        assert told is not None
        assert told.budget_bytes == 200 * 2**20
        assert 0 < told.committed_bytes <= told.budget_bytes
        assert told.available_bytes > 0


def test_what_was_measured_outlives_a_restart(tmp_path: Path, bundles: Bundles) -> None:
    """A box that starts again knows what its functions take, before any of them runs."""
    home = tmp_path / "box"
    with RunningBox(home) as box:
        box.deploy(bundles.of("hungry"))
        box.call("hungry", mebibytes=8)
        box.until("its instance was measured", "hungry", lambda status: status.memory.measured)
        before = box.status("hungry").memory
    with RunningBox(home) as box:
        after = box.status("hungry").memory
        assert after.measured
        assert after.held_bytes == 0
        assert after.template_bytes == pytest.approx(before.template_bytes, rel=0.2)
        assert after.instance_bytes == pytest.approx(before.instance_bytes, rel=0.2)


@pytest.mark.parametrize("kibibytes", [256, 6 * 1024], ids=["short calls", "long calls"])
def test_a_handler_that_leaks_is_recycled_between_requests(deployed: Deployed, kibibytes: int) -> None:
    """Far more calls than its `memory` holds, from two clients: none fails, and several processes served them."""
    box = deployed("leaks")
    calls = 6 * 64 * 1024 // kibibytes

    def ask(number: int) -> int:
        return int(box.call("leaks", kibibytes=kibibytes))

    with ThreadPoolExecutor(2) as clients:
        pids = list(clients.map(ask, range(calls)))
    assert len(pids) == calls
    assert len(set(pids)) >= 5
    served = Counter(pids)
    assert max(served.values()) * kibibytes <= 64 * 1024
    if kibibytes < 1024:  # it is used, and not thrown away after a few
        assert max(served.values()) * kibibytes >= 32 * 1024
