"""Which finished artifacts of other revisions are taken over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from edgefn_runtime.artifacts import inputs
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, opened
from tests.runtime.deployment.bundles import SmallBundle

OTHER = msgspec.structs.replace(bundles.PORTABLE, target="x86-64-v3/fp32")


def test_what_ran_beside_it_is_a_part_of_what_it_is_made_from(tmp_path: Path) -> None:
    """The artifact that it was timed beside ran in the same process and may have changed it: with another it is new."""

    async def scenario() -> None:
        first = bundles.with_model(tmp_path, artifacts=(bundles.PORTABLE, OTHER))
        files = {name: content for name, content in first.files.items() if name != "config.json"}
        same = bundles.pack(tmp_path, first.config, files | {"code/scale.py": b"x = 2\n"})
        hostile = bundles.pack(tmp_path, first.config, files | {f"{bundles.PORTABLE.path}/more": b"hostile"})
        async with opened(tmp_path / "home") as box:
            made_from = [await _made_from(box, bundle) for bundle in (first, same, hostile)]
        assert made_from[0] == made_from[1]
        assert made_from[0][OTHER.path] != made_from[2][OTHER.path]

    asyncio.run(scenario())


async def _made_from(box: StoreBox, bundle: SmallBundle) -> dict[str, str]:
    await box.deploy(bundle)
    revision = box.deployments.current("scale")
    assert revision is not None
    return inputs.read(revision.folder)
