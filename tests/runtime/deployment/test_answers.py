"""The handler's answers on a box, held against eager's: what serves, what is left, what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.record import Asked, Mismatch, Question, Reference
from edgefn.bundle.config import ArtifactEntry, BundleConfig
from edgefn.errors import DeploymentRefused, InstanceLost, Unavailable
from edgefn_runtime.deployment import answers
from tests.runtime.deployment.boxes import StoreBox
from tests.runtime.deployment.bundles import (
    LINEAR,
    PORTABLE,
    SmallBundle,
    function_spec,
    golden_file,
    onnx_file,
    pack,
)

FAST = ArtifactEntry("linear", "x86-64-v3/fp32", "onnxruntime")
DIFFERS = msgspec.msgpack.encode(Mismatch("0.json", "2", "3", "3 instead of 2"))


def asked(folder: Path, *artifacts: ArtifactEntry) -> SmallBundle:
    """A function with one request that eager answered with 2."""
    reference = Reference((Asked("0.json", "application/json"),), (record.encode(2),))
    files = {
        "code/scale.py": b"x = 1\n",
        "golden/linear.npz": golden_file(folder, 1.0),
        "requests/0": b'{"n": 1}',
        "answers/answers.msgpack": msgspec.msgpack.encode(reference),
    }
    entries = artifacts or (PORTABLE,)
    files |= {f"{entry.path}/model.onnx": onnx_file() for entry in entries}
    return pack(folder, BundleConfig(function_spec("scale"), (LINEAR,), entries, requests=1), files)


def test_a_revision_is_asked_before_it_serves(tmp_path: Path) -> None:
    """The instance is asked after the template is there and before the switch, and the count is kept."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        await box.deploy(asked(tmp_path))
        assert box.host.calls.index("prepare") < box.host.calls.index("ask") < box.host.calls.index("switch")
        chain = box.deployments.chains.of("scale")
        assert chain is not None
        assert str(chain.answers[PORTABLE.path]) == "answers 1 of 1 (shows at least 0.05)"
        await box.deployments.settled()
        await box.deployments.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (DIFFERS, "0.json: 3 instead of 2 (eager 2, here 3)"),
        (InstanceLost("the instance crashed"), "the instance crashed"),
        (b"\xc1 no message", "answers 0 of 1"),
    ],
)
def test_a_revision_that_answers_otherwise_is_refused(tmp_path: Path, reply: bytes | Exception, told: str) -> None:
    """The portable artifact's answers differ, or its instance dies, or talks nonsense: nothing is deployed."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        box.host.replies[PORTABLE.path,] = reply
        with pytest.raises(DeploymentRefused, match="answers otherwise than eager PyTorch here") as refused:
            await box.deploy(asked(tmp_path))
        assert told in str(refused.value)
        assert "switch" not in box.host.calls
        assert box.host.prepared == set()
        assert box.current("scale") is None
        await box.deployments.close()

    asyncio.run(scenario())


def test_no_memory_is_no_verdict(tmp_path: Path) -> None:
    """Where there is no room for one more instance the revision serves, and the box says that nothing was compared."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        box.host.replies[PORTABLE.path,] = Unavailable("no memory for another instance of scale")
        await box.deploy(asked(tmp_path))
        chain = box.deployments.chains.of("scale")
        assert chain is not None
        assert "no memory for another instance" in chain.answers[PORTABLE.path].unfit
        await box.deployments.settled()
        await box.deployments.close()

    asyncio.run(scenario())


def test_a_faster_artifact_that_answers_otherwise_is_marked(tmp_path: Path) -> None:
    """It is finished behind the portable one, asked, and never chosen; a restart knows it."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        box.host.replies[FAST.path,] = DIFFERS
        await box.deploy(asked(tmp_path, PORTABLE, FAST))
        await box.deployments.settled()
        assert box.host.serving["scale"].served == (PORTABLE.path,)
        chain = box.deployments.chains.of("scale")
        assert chain is not None
        assert "3 instead of 2" in chain.broken[FAST.path]
        assert any("it answers otherwise" in line for line in box.host.lines)
        await box.deployments.close()
        box.home.close()
        again = StoreBox(tmp_path / "box")
        current = again.deployments.current("scale")
        assert current is not None
        assert current.served == (PORTABLE.path,)
        await again.deployments.close()

    asyncio.run(scenario())


def test_a_faster_artifact_that_answers_as_eager_does_takes_over(tmp_path: Path) -> None:
    """It is asked once; then it serves, and another deployment of the same files is live on it at once."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        await box.deploy(asked(tmp_path, PORTABLE, FAST))
        await box.deployments.settled()
        assert box.host.serving["scale"].served == (FAST.path,)
        assert box.host.calls.count("ask") == 2
        await box.deployments.close()

    asyncio.run(scenario())


def test_an_artifact_that_was_not_asked_is_not_chosen(tmp_path: Path) -> None:
    """A power cut between an artifact's proof and its answers: the portable one serves until it was asked."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        await box.deploy(asked(tmp_path, PORTABLE, FAST))
        await box.deployments.settled()
        current = box.deployments.current("scale")
        assert current is not None
        (current.finished / answers.FILE).unlink()
        await box.deployments.close()
        box.home.close()
        again = StoreBox(tmp_path / "box")
        found = again.deployments.current("scale")
        assert found is not None
        assert found.served == (PORTABLE.path,)
        await again.deployments.restore()
        await again.deployments.settled()
        assert again.host.serving["scale"].served == (FAST.path,)
        await again.deployments.close()

    asyncio.run(scenario())


def test_a_question_carries_the_request_and_the_precision(tmp_path: Path) -> None:
    """The instance gets the body as it came, eager's answer, and the precision of the least precise artifact."""

    async def scenario() -> None:
        box = StoreBox(tmp_path / "box")
        await box.deploy(asked(tmp_path))
        current = box.deployments.current("scale")
        assert current is not None
        questions, _ = answers._questions(current, "int8")
        (question,) = (msgspec.msgpack.decode(one, type=Question) for one in questions)
        assert (question.body, question.precision, question.asked.name) == (b'{"n": 1}', "int8", "0.json")
        assert record.decode(question.expected) == 2
        await box.deployments.settled()
        await box.deployments.close()

    asyncio.run(scenario())
