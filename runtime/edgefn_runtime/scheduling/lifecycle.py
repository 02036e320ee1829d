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
    """The state of a function for `edgefn status`; derived from its processes, never stored."""

    IDLE = "idle"  # deployed, no process at all
    PARKED = "parked"  # a template, no instance
    STARTING = "starting"  # a template or the first instance is on its way
    SERVING = "serving"
    FAILED = "failed"  # it does not start, or dies in request after request; tried again after a pause or a deployment


def function_state(
    *, ready: int, starting: int, template: bool, failing: bool, crashing: bool = False
) -> FunctionState:
    """Return the state of a function that has `ready` and `starting` instances, and a `template` or not.

    It is `failing` when it does not start, and `crashing` when it starts but its instances end as they serve.
    """
    if crashing:
        return FunctionState.FAILED
    if ready:
        return FunctionState.SERVING
    if starting:
        return FunctionState.STARTING
    if failing:
        return FunctionState.FAILED
    return FunctionState.PARKED if template else FunctionState.IDLE
