"""The screening of operators: it finds a wrong translation, and nothing in a right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.operators import __main__ as command
from benchmarks.operators import calls, known, table
from benchmarks.operators.screen import Outcome, screened
from edgefn.compile.translations import angles

pytestmark = [
    pytest.mark.needs_torch,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # PyTorch's table of its own tests warns as it is imported
]


@pytest.mark.long
def test_a_translation_that_errs_for_a_kind_of_number_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter's own atan2 is right for the numbers that PyTorch tests it with, and wrong for whole ones."""
    call = next(calls.calls(calls.operators()["atan2"], "float32", 1))
    ours = screened("atan2", call, "float32", free=True)
    monkeypatch.setattr(angles, "rules", dict)
    theirs = screened("atan2", call, "float32", free=True)
    assert ours is not None
    assert theirs is not None
    assert (ours.state, theirs.state) == ("right", "wrong")
    assert all(name.startswith(("equal", "halves", "tenths")) for name in theirs.wrong)


@pytest.mark.long
def test_an_operator_that_onnx_lacks_is_refused() -> None:
    """With the operator's name."""
    found = list(command.outcomes("igamma", 1))
    assert {one.state for one in found} == {"refused"}
    assert all("igamma" in one.why for one in found)


def test_the_table_has_a_row_of_each_operator(tmp_path: Path) -> None:
    """One that is wrong once is wrong; what is left out is told with the reason."""
    right = Outcome(operator="abs", call="[2]", dtype="float32", free=False, state="right")
    wrong = Outcome(operator="abs", call="[3]", dtype="int64", free=False, state="wrong", wrong={"equal": "differs"})
    refused = Outcome(operator="igamma", call="[2]", dtype="float32", free=False, state="refused", why="none")
    results = tmp_path / "outcomes.jsonl"
    for one in (right, wrong, refused, right):
        command.append(results, one)
    found = list(command.read(results))
    assert len(found) == 3
    page = table.render(found, ["abs", "igamma", "sinc"])
    assert "| abs | **wrong** | – |" in page
    assert "| igamma | refused | – |" in page
    assert "1 wrong, of 2" in page
    assert "no call that has an answer: sinc" in page
    assert all(why in page for why in known.LEFT_OUT.values())
    assert known.reason("topk")
    assert not known.reason("atan2")
