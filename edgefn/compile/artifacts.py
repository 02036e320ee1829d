"""One model lowered for one target and proved on its golden samples, each from the cache when nothing changed.

Owns the order capture → lower → verify. Imports torch only when an artifact has to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import backends
from edgefn.backends.backend import Backend
from edgefn.bundle.config import ArtifactEntry
from edgefn.compile import verify
from edgefn.compile.cache import Cache, hash_file, key_of
from edgefn.compile.events import Steps
from edgefn.compile.goldens import Golden
from edgefn.compile.report import ArtifactReport
from edgefn.compile.verify import Latency
from edgefn.errors import BuildError
from edgefn.golden import Agreement, GoldenSample
from edgefn.model import EdgeModel
from edgefn.spec import ModelSpec
from edgefn.targets import profiles

if TYPE_CHECKING:
    from edgefn.compile.capture import Capture
    from edgefn.compile.eager import EagerSession

STEPS = 3
"""Steps of `Artifacts.build`: capture, lower, verify. The first two are passed over when the artifact is cached."""

_FILES, _LOWERED, _AGREEMENT = "files", "lowered.json", "agreement.json"


class Lowered(msgspec.Struct, frozen=True):
    """What is known of an artifact beside its files; `spec` has the network's real outputs."""

    spec: ModelSpec
    toolchain: dict[str, str]
    latency: Latency


class Artifact(msgspec.Struct, frozen=True):
    """An artifact that passed: what the bundle says of it, the folder of its files, what the report says."""

    entry: ArtifactEntry
    folder: Path
    spec: ModelSpec
    report: ArtifactReport


class Artifacts:
    """Makes artifacts with `cache`, from the networks in `sessions` or new ones.

    `folder` has the project's own hardware profiles.
    """

    def __init__(
        self, cache: Cache, steps: Steps, sessions: dict[str, EagerSession], folder: Path | None = None
    ) -> None:
        self._cache = cache
        self._profiles = folder
        self._steps = steps
        self._sessions = sessions
        self._captures: dict[str, Capture] = {}

    def build(self, model: EdgeModel, target: str, builder_key: str, golden: Golden) -> Artifact:
        """The model's artifact for `target`. Raises BuildError, and GateError when it is out of its bound."""
        backend, name = backend_of(target, self._profiles), f"{target} of model {model.spec.name}"
        members = {"model": model.spec.name, "target": target}
        key = key_of(builder_key, sizes(model.spec, golden.samples), target, backend.name, backend.probe().version)

        folder = self._cache.find("artifact", key)
        cached = folder is not None
        if folder is None:
            folder = self._cache.make("artifact", key, lambda into: self._lower(model, target, golden, into))
        else:
            self._steps.skip(2)
        lowered = msgspec.json.decode((folder / _LOWERED).read_bytes(), type=Lowered)

        self._steps.begin("verify", **members)
        agreement = self._agreement(backend, folder / _FILES, key, model, golden, name)
        self._steps.events("check", **members, **msgspec.to_builtins(agreement), bound=msgspec.to_builtins(model.bound))
        verify.gate(agreement, name)

        needs = profiles.needs_of(profiles.target(target, folder=self._profiles), self._profiles)
        entry = ArtifactEntry(model.spec.name, target, backend.name, lowered.toolchain, needs)
        report = _report(entry, folder / _FILES, lowered, agreement, model, cached=cached)
        self._steps.events("artifact", **msgspec.to_builtins(report))
        return Artifact(entry, folder / _FILES, lowered.spec, report)

    def _lower(self, model: EdgeModel, target: str, golden: Golden, into: Path) -> None:
        from edgefn.compile.eager import one_thread

        backend, name = backend_of(target, self._profiles), f"{target} of model {model.spec.name}"
        with one_thread():
            self._steps.begin("capture", model=model.spec.name)
            captured = self._captured(model, golden.samples)
            self._steps.begin("lower", model=model.spec.name, target=target)
            wanted = profiles.target(target, folder=self._profiles)
            toolchain = backend.lower(captured, wanted, into / _FILES).toolchain
            inputs = golden.samples[0].inputs
            latency = verify.measure(backend, into / _FILES, self._session(model), inputs, name)
        (into / _LOWERED).write_bytes(msgspec.json.encode(Lowered(captured.model, toolchain, latency)))

    def _captured(self, model: EdgeModel, samples: Sequence[GoldenSample]) -> Capture:
        from edgefn.compile.capture import capture

        name = model.spec.name
        if name not in self._captures:
            self._captures[name] = capture(self._session(model), sizes(model.spec, samples))
        return self._captures[name]

    def _session(self, model: EdgeModel) -> EagerSession:
        from edgefn.compile.eager import EagerSession

        return self._sessions.setdefault(model.spec.name, EagerSession(model.builder, model.spec))

    def _agreement(
        self, backend: Backend, files: Path, artifact_key: str, model: EdgeModel, golden: Golden, name: str
    ) -> Agreement:
        batched = model.batching is not None
        key = key_of(artifact_key, hash_file(golden.path), msgspec.to_builtins(model.bound), batched)
        if folder := self._cache.find("agreement", key):
            return msgspec.json.decode((folder / _AGREEMENT).read_bytes(), type=Agreement)
        agreement = verify.verify(backend, files, golden.samples, model.bound, name, batched=batched)
        if agreement.passed:
            text = msgspec.json.encode(agreement)
            self._cache.make("agreement", key, lambda into: _write(into / _AGREEMENT, text))
        return agreement


def backend_of(target: str, folder: Path | None = None) -> Backend:
    """The backend that builds `target`, able to work here. Raises SpecError, or BuildError saying what to install."""
    backend = backends.get(profiles.target(target, folder=folder).backend)
    probe = backend.probe()
    if not probe.available:
        raise BuildError(f"the target {target} needs the backend {backend.name}, which cannot work here: {probe.fix}")
    return backend


def sizes(spec: ModelSpec, samples: Sequence[GoldenSample]) -> dict[str, int]:
    """The sizes that the model's symbolic dimensions have in the first golden sample."""
    return {
        size: actual
        for name, tensor in spec.inputs.items()
        for size, actual in zip(tensor.shape, samples[0].inputs[name].shape, strict=True)
        if isinstance(size, str)
    }


def _report(
    entry: ArtifactEntry, files: Path, lowered: Lowered, agreement: Agreement, model: EdgeModel, *, cached: bool
) -> ArtifactReport:
    return ArtifactReport(
        model=entry.model,
        target=entry.target,
        backend=entry.backend,
        size_bytes=sum(path.stat().st_size for path in files.iterdir()),
        opset=int(entry.toolchain.get("opset", 0)),
        max_error=agreement.max_error,
        top1=agreement.top1,
        bound=model.bound,
        latency_ratio=lowered.latency.ratio,
        latency=lowered.latency,
        cached=cached,
    )


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
