"""The lives of an instance and of a function on the box, one enum each."""

from __future__ import annotations

import enum


class InstanceState(enum.StrEnum):
    """STARTING → READY → DRAINING → ENDED; a crash goes to ENDED from anywhere."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"


class FunctionState(enum.StrEnum):
    """What `edgefn status` says of a function; derived from its processes, never stored."""

    IDLE = "idle"  # deployed, no process at all
    PARKED = "parked"  # a template, no instance
    STARTING = "starting"  # a template or the first instance is on its way
    SERVING = "serving"
    FAILED = "failed"  # it does not start; the next try is after a pause, on a request or a deployment


def function_state(*, ready: int, starting: int, template: bool, failing: bool) -> FunctionState:
    """The state of a function that has `ready` and `starting` instances, and a `template` or not."""
    if ready:
        return FunctionState.SERVING
    if starting:
        return FunctionState.STARTING
    if failing:
        return FunctionState.FAILED
    return FunctionState.PARKED if template else FunctionState.IDLE
