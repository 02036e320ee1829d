"""The simulated burst: what docs/decisions/autoscaling.md says of both rules."""

from __future__ import annotations

from benchmarks.autoscaling import AtOnce, Knative, burst, run


def test_where_a_start_takes_milliseconds_waiting_for_a_window_does_not_pay() -> None:
    """Starts of 5 ms: a p99 of a quarter of Knative's at most, for 1.5 times its instance-seconds at most."""
    ours, theirs = run(AtOnce(), 0.005, burst()), run(Knative(), 0.005, burst())
    assert ours.p99_s <= theirs.p99_s / 4
    assert ours.held_s <= 1.5 * theirs.held_s
