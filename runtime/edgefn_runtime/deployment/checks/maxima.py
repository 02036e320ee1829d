"""The most that a box takes from a bundle, whatever its author wrote: checked on the parsed config. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgefn.bundle.config import BundleConfig
from edgefn.errors import DeploymentRefused
from edgefn.text.quantities import format_bytes, format_duration
from edgefn_runtime.settings import BoxSettings

IDLE_S = 24 * 3600.0
"""No instance is kept idle for longer: a day, as authors may ask for."""

MAX_PARAMETERS = 1000
MAX_ARTIFACTS = 64
"""Of each model: there are some dozen targets."""


class Maxima(msgspec.Struct, frozen=True):
    """The most that a function may ask for on this box, as its operator has set it.

    Sizes in bytes, durations in seconds. `answers` limits the requests that travel in a bundle with eager's answers to
    them: each artifact runs all of them.
    """

    scale: int = 100
    queue: int = 10_000
    body_bytes: int = 2**30
    timeout_s: float = 3600.0
    concurrency: int = 1000
    models: int = 64
    answers: int = 64

    @classmethod
    def of(cls, settings: BoxSettings) -> Maxima:
        """Return the maxima of a box from its settings."""
        return cls(
            scale=settings.max_scale,
            queue=settings.max_queue,
            body_bytes=settings.max_body_bytes,
            timeout_s=settings.max_timeout_s,
            concurrency=settings.max_concurrency,
            models=settings.max_models,
            answers=settings.max_answers,
        )

    def check(self, config: BundleConfig) -> None:
        """Raise DeploymentRefused where `config` asks for more than the maxima.

        The message names each excess, and the option that allows it.
        """
        if found := list(self._over(config)):
            raise DeploymentRefused(
                f"{config.function.name} asks for more than this box allows: {'; '.join(found)}. "
                "Lower it and build again, or start the box with more"
            )

    def _over(self, config: BundleConfig) -> Iterator[str]:
        spec = config.function
        counts = {
            "scale": (spec.scale[1], self.scale),
            "queue": (spec.queue, self.queue),
            "concurrency": (spec.concurrency, self.concurrency),
            "models": (len(config.models), self.models),
            "answers": (config.requests, self.answers),
        }
        for name, (count, limit) in counts.items():
            if count > limit:
                yield f"{name} is {count}, at most {limit} (--max-{name})"
        if spec.max_body_bytes > self.body_bytes:
            asked, most = format_bytes(spec.max_body_bytes), format_bytes(self.body_bytes)
            yield f"max_body is {asked}, at most {most} (--max-body)"
        if spec.timeout_s > self.timeout_s:
            yield f"timeout is {spec.timeout_s:.0f} s, at most {format_duration(self.timeout_s)} (--max-timeout)"
        if spec.idle_s > IDLE_S:
            yield f"idle is {spec.idle_s:.0f} s, at most {format_duration(IDLE_S)}"
        if len(config.artifacts) > MAX_ARTIFACTS * max(1, len(config.models)):
            yield f"it has {len(config.artifacts)} artifacts, at most {MAX_ARTIFACTS} of each model"
        if len(spec.parameters) > MAX_PARAMETERS:
            yield f"it has {len(spec.parameters)} parameters, at most {MAX_PARAMETERS}"
