"""The page of a refused artifact: one screen, in the order in which a tired person asks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edgefn.accuracy.verdict import Agreement, SliceVerdict
from edgefn_cli.display import refusal

WRONG = Agreement(
    verdict="wrong",
    error=1.03,
    samples=12,
    sizes=8,
    slices=(
        SliceVerdict("y", "scores", "wrong", 1.03, 0.1, sample=3, reason="scores is off by 103 % of its spread"),
        SliceVerdict("y", "boxes", "right", 0.02, 0.1),
    ),
    reason="scores is off by 103 % of its spread between samples, but only 10 % is allowed, as if it ignored its input",
)


def event(agreement: Agreement, target: str) -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.to_builtins(agreement)
    return {"event": "check", "model": "detector", "target": target} | figures


def test_what_is_wrong_comes_first_and_what_still_serves_last() -> None:
    """Which part, what is right, how sure, what to do, what is served meanwhile; 80 columns, one screen."""
    lines = refusal.page(event(WRONG, "x86-64-v3/int8"))
    text = " ".join(" ".join(lines).split())
    parts = ("NOT SERVED: x86-64-v3/int8 of model detector", "scores is off by 103 %", "right boxes", "12 samples")
    places = [text.index(part) for part in (*parts, "the worst is sample 3", "keep layers in float", "portable/fp32")]
    assert places == sorted(places)
    assert max(map(len, lines)) <= refusal.WIDTH
    assert len(lines) < 24


def test_what_no_sample_shows_is_told_as_that() -> None:
    """It is not called wrong, and the ways out are samples or a reason."""
    unshown = Agreement("not shown", 0.0, samples=4, reason="count is the same for all 4 samples, which proves nothing")
    text = "\n".join(refusal.page(event(unshown, "portable/fp32")))
    assert text.startswith("NOT SHOWN: portable/fp32")
    assert "is wrong" not in text
    assert "give samples in which it differs" in text
    assert "nothing: every bundle needs this artifact" in text


def test_answers_are_shown_side_by_side() -> None:
    """The sample's file, eager's answer, the artifact's, and how many differ."""
    pair = {"sample": "cat.jpg", "expected": "'cat'", "actual": "'dog'", "reason": "another label"}
    told = {"event": "answers", "model": "net", "target": "x86-64-v3/int8", "verdict": "wrong", "matched": 9, "of": 12}
    text = "\n".join(refusal.page(told | {"examples": [pair]}))
    assert "cat.jpg   eager 'cat'; the artifact 'dog' (another label)" in text
    assert "3 of 12 answers differ" in text


@pytest.mark.parametrize("told", [{"event": "step"}, {"event": "check", "verdict": "right"}, {"event": "answers"}])
def test_what_is_right_has_no_page(told: dict[str, Any]) -> None:
    """Nor has any other event."""
    assert refusal.page(told) == []
