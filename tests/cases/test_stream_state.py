"""A stream's state is its caller's to carry: a box that answers it frame by frame keeps nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from tests.cases.case import Case
from tests.e2e.box import RunningBox

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(900)]

FRAMES = 6
MSGPACK = {"content-type": "application/msgpack", "accept": "application/msgpack"}


def packed(array: np.ndarray) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "shape": array.shape, "data": array.tobytes()}


def unpacked(value: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(value["data"], value["dtype"]).reshape(value["shape"])


class Caller:
    """One stream: its frames, the state that the box gave it last, and the gains so far."""

    def __init__(self, seed: int) -> None:
        self.frames = np.random.default_rng(seed).normal(size=(FRAMES, 1, 10, 64)).astype(np.float32)
        self.gains: list[np.ndarray] = []
        self.state: dict[str, Any] | None = None

    def send(self, box: RunningBox) -> bytes:
        """Send the next frame, with the state as it came; returns the answer's bytes."""
        answer = self.ask(box)
        told = msgspec.msgpack.decode(answer)
        self.gains.append(unpacked(told["gains"]))
        self.state = told["next_state"]
        return answer

    def ask(self, box: RunningBox) -> bytes:
        members: dict[str, Any] = {"frames": packed(self.frames[len(self.gains)])}
        if self.state is not None:
            members["state"] = self.state
        answer: httpx.Response = box.http.post(
            "/fn/gru_stream", content=msgspec.msgpack.encode(members), headers=MSGPACK
        )
        assert answer.status_code == 200, answer.text
        return answer.content


@pytest.mark.long
def test_callers_that_take_turns_get_their_own_streams_across_a_restart(
    tmp_path: Path, new_box: Callable[[], RunningBox]
) -> None:
    """Each gets what eager PyTorch gives it alone over the whole stream; a frame sent again gets the same answer."""
    case = Case("gru_stream", tmp_path)
    case.edit('"time"', "10")
    case.edit(
        '"state": tensor("float32", 2, "batch", 96)},\n            samples',
        '"next_state": tensor("float32", 2, "batch", 96)},\n            samples',
    )
    case.built()
    box = new_box()
    box.deploy(case.bundle)
    first, second = Caller(1), Caller(2)
    for number in range(FRAMES):
        if number == FRAMES // 2:
            box.kill9()
            box.start()
        again = second.ask(box)
        first.send(box)
        assert second.send(box) == again, "the same frame and state gave another answer"
    for caller in (first, second):
        np.testing.assert_allclose(np.concatenate(caller.gains, 1), whole(case, caller), rtol=1e-3, atol=1e-5)


def whole(case: Case, caller: Caller) -> np.ndarray:
    """The gains of the whole stream at once, in eager PyTorch."""
    stream = np.concatenate(list(caller.frames), 1)
    gains, _ = case.eager({"frames": stream, "state": np.zeros((2, 1, 96), np.float32)})
    return np.asarray(gains)
