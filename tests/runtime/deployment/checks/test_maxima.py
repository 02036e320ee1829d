"""What a bundle may ask for, whatever its author wrote."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgefn.bundle.config import BundleConfig
from edgefn.errors import DeploymentRefused
from edgefn_runtime.deployment.checks.maxima import IDLE_S, Maxima
from edgefn_runtime.settings import BoxSettings
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import opened

OVER: dict[str, tuple[dict[str, Any], str]] = {
    "scale": ({"scale": (0, 1400)}, "scale is 1400, the limit is 100 (--max-scale)"),
    "queue": ({"queue": 10**30}, "--max-queue"),
    "body": ({"max_body_bytes": 2**60}, "--max-body"),
    "timeout": ({"timeout_s": 1e300}, "--max-timeout"),
    "idle": ({"idle_s": 1e300}, "idle"),
    "concurrency": ({"concurrency": 10**6}, "--max-concurrency"),
}


@pytest.mark.parametrize(("options", "words"), OVER.values(), ids=OVER)
def test_a_bundle_over_a_maximum_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """Before a byte of it is unpacked; the reason names what is over, and the option that allows it."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as box:
            with pytest.raises(DeploymentRefused) as caught:
                await box.deploy(bundles.function(tmp_path, **options))
            assert words in str(caught.value)
            assert not list(box.home.bundles.iterdir())

    asyncio.run(scenario())


def test_all_that_is_over_is_told_at_once() -> None:
    """Models and answers too; what is at its maximum is let in."""
    maxima = Maxima(scale=2, queue=3, models=0, answers=1)
    spec = bundles.function_spec("greet", scale=(0, 3), queue=4)
    with pytest.raises(DeploymentRefused) as caught:
        maxima.check(BundleConfig(spec, (bundles.LINEAR,), (bundles.PORTABLE,), requests=2))
    for option in ("--max-scale", "--max-queue", "--max-models", "--max-answers"):
        assert option in str(caught.value)
    allowed = bundles.function_spec("greet", scale=(0, 2), queue=3, idle_s=IDLE_S)
    maxima.check(BundleConfig(allowed, requests=1))


def test_the_boxs_settings_are_its_maxima() -> None:
    """Each has an option, and the defaults of both are the same."""
    assert Maxima.of(BoxSettings(Path("/home"))) == Maxima()
    other = BoxSettings(
        *(Path("/home"),),
        max_scale=1,
        max_queue=2,
        max_body_bytes=3,
        max_timeout_s=4.0,
        max_concurrency=5,
        max_models=6,
        max_answers=7,
    )
    assert list(msgspec.structs.astuple(Maxima.of(other))) == [1, 2, 3, 4.0, 5, 6, 7]


def test_what_was_deployed_before_a_maximum_was_lowered_fails(tmp_path: Path) -> None:
    """It is not served, and its reason says which option; others are."""

    async def scenario() -> None:
        wide, narrow = bundles.function(tmp_path, "wide", scale=(0, 9)), bundles.function(tmp_path, "narrow")
        async with opened(tmp_path / "home") as box:
            await box.deploy(wide)
            await box.deploy(narrow)
        async with opened(tmp_path / "home", maxima=Maxima(scale=8)) as box:
            assert list(box.host.serving) == ["narrow"]
            assert "--max-scale" in box.host.failed["wide"]

    asyncio.run(scenario())


def test_a_revision_over_a_lowered_maximum_is_not_rolled_back_to(tmp_path: Path) -> None:
    """What serves goes on, and the reason says which option."""

    async def scenario() -> None:
        wide, narrow = bundles.function(tmp_path, "f", scale=(0, 9)), bundles.function(tmp_path, "f", scale=(0, 1))
        async with opened(tmp_path / "home") as box:
            await box.deploy(wide)
            await box.deploy(narrow)
        async with opened(tmp_path / "home", maxima=Maxima(scale=8)) as box:
            serving = box.current("f")
            with pytest.raises(DeploymentRefused, match="--max-scale"):
                await box.deployments.rollback("f")
            assert box.current("f") == serving
            assert list(box.host.serving) == ["f"]

    asyncio.run(scenario())
