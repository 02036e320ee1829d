"""From a function's folder to a bundle in an OCI image layout: inspect, golden samples, artifacts, wheels, layers.

The same sources give the same digest, in any folder and any process. Owns the order of the steps and what the
bundle's config says; what each step does is its own module's.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edgefn.accuracy.answers.record import Reference
from edgefn.batching import check_function, check_outputs, check_range
from edgefn.bundle import layers, references
from edgefn.bundle.config import BundleConfig, ModelEntry
from edgefn.bundle.oci.layout import Layout
from edgefn.bundle.readme import first_paragraph
from edgefn.bundle.sources import Packages
from edgefn.compile import report
from edgefn.compile.answers import reference, travelling
from edgefn.compile.answers.reference import Answers
from edgefn.compile.artifacts.artifacts import STEPS, Artifacts
from edgefn.compile.artifacts.available import Skipped, available
from edgefn.compile.artifacts.making import Artifact, ArtifactBuild
from edgefn.compile.artifacts.plan import ArtifactPlan, is_quantized
from edgefn.compile.artifacts.wanted import expand_targets
from edgefn.compile.author import boundary
from edgefn.compile.author.usercode import import_function
from edgefn.compile.cache import environment, wheelhouse
from edgefn.compile.cache.cache import TEMPORARY, Cache, key_of, writable
from edgefn.compile.cache.sources import Sources
from edgefn.compile.cache.wheelhouse import Wheels
from edgefn.compile.events import BuildSteps, Events
from edgefn.compile.judging.judgement import Judgement
from edgefn.compile.report import ArtifactReport, ModelReport, Report
from edgefn.compile.samples.calibration import Calibrations
from edgefn.compile.samples.goldens import Golden, Goldens
from edgefn.errors import BuildError, BundleError
from edgefn.function import EdgeFunction
from edgefn.golden import GoldenSample
from edgefn.model import EdgeModel, models_of
from edgefn.spec import FunctionSpec
from edgefn.system.durable import locked
from edgefn.targets.facts import this_machine
from edgefn.targets.profiles import Target
from edgefn.targets.profiles import profiles as known_profiles

if TYPE_CHECKING:
    from edgefn.compile.capture.eager import EagerSession

Rows = tuple[ArtifactReport, ...]


DEFAULT_LIMIT_S = 15 * 60.0
"""A compiler's time, where nobody says another."""


@dataclass(frozen=True)
class BuildCommand:
    """What to build, for what, where to.

    folder        of the function
    output        the OCI image layout
    cache         the folder of the cache
    targets       each model gets an artifact for each: names of targets and groups, see `wanted.expand_targets`
    python        the box's Python, "3.11"; what wheels are resolved for
    platform      the box's platform, e.g. "manylinux_2_28_x86_64"; likewise
    reuse_golden  golden samples of an unchanged network are taken although the handler or the samples changed
    force         nothing is taken from the cache
    logs          the folder below which the compilers' logs are kept, by function; None: in the cache
    profiles      the project's folder of profiles
    packages      the project's shared packages
    limit_s       a compiler's time
    """

    folder: Path
    output: Path
    cache: Path
    targets: tuple[str, ...] = ("portable/fp32",)
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    platform: str = "manylinux_2_28_x86_64"
    reuse_golden: bool = False
    force: bool = False
    logs: Path | None = None
    profiles: Path | None = None
    packages: Packages = field(default_factory=dict)
    limit_s: float = DEFAULT_LIMIT_S


class Built(msgspec.Struct, frozen=True):
    """A finished build; `cached` when nothing had changed since an earlier one."""

    digest: str
    function: str
    report: Report
    cached: bool = False


_NAMES = "names.json"


class Looked(NamedTuple):
    """What a build looked at outside of the function's folder: patterns of weights, and modules."""

    weights: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def build(order: BuildCommand, events: Events) -> Built:
    """Build the bundle of `order.folder`, and write it to the layout with its report. Raise EdgefnError."""
    sources = Sources(order.folder, order.packages)
    with writable((order.cache, order.logs or order.cache)):
        order.cache.mkdir(parents=True, exist_ok=True)
        with _alone(order.cache, events):
            return _Build(order, sources, events).run()


@contextmanager
def _alone(cache: Path, events: Events) -> Iterator[None]:
    """Hold the cache for this build alone, and clear what killed builds left in it.

    Two builds at once would do the same work twice, so a second one waits.
    """
    with locked(cache, lambda: events("step", name="wait for another build", done=0, total=0)):
        Cache(cache).clear()
        try:
            yield
        finally:
            Cache(cache).clear()


class _Build:
    def __init__(self, order: BuildCommand, sources: Sources, events: Events) -> None:
        self.order = order
        self.sources = sources
        self.cache = Cache(order.cache, fresh=order.force)
        self.steps = BuildSteps(events, total=1)
        self.wanted = expand_targets(order.targets, this_machine(), order.profiles)
        self.looked = Looked()

    def run(self) -> Built:
        profiles = [msgspec.to_builtins(known_profiles(self.order.profiles)[one.target.profile]) for one in self.wanted]
        options = [[str(one.target) for one in self.wanted], profiles, self.order.python, self.order.platform]
        code_key = self.sources.whole_key(options)
        key = self._whole_key(code_key)
        if known := self._known(key) or (self._known(f"{key}-stale") if self.order.reuse_golden else None):
            return known
        built, stale = self._make()
        self._keep_looked(code_key)
        key = self._whole_key(code_key)
        name = f"{key}-stale" if stale else key
        if not built.report.missing:  # what is missing may come with the next try
            self.cache.make("bundle", name, lambda into: (into / "built.json").write_bytes(msgspec.json.encode(built)))
        self.cache.prune()
        return built

    def _whole_key(self, code_key: str) -> str:
        """Return a key of all that the bundle may depend on.

        That is the sources, and the files elsewhere that an earlier build of them used.
        """
        patterns = self._read("weights", code_key)
        self.sources.remembered = self._read("modules", key_of(str(self.sources.folder)))
        try:
            return key_of(code_key, self.sources.weights_key(patterns), self.sources.modules_key())
        except FileNotFoundError:  # the build says what is missing
            return key_of(code_key, "missing")

    def _keep_looked(self, code_key: str) -> None:
        """Remember the files elsewhere that this build used, so that the next build can compare them first.

        Weights are stored for these sources, modules for any sources of this folder. A builder may put a folder on
        sys.path itself: the place of its modules is known only after it ran.
        """
        self._write_names("weights", code_key, self.looked.weights)
        self._write_names("modules", key_of(str(self.sources.folder)), self.looked.modules)

    def _read(self, kind: str, key: str) -> tuple[str, ...]:
        folder = self.cache.find(kind, key)
        return msgspec.json.decode((folder / _NAMES).read_bytes(), type=tuple[str, ...]) if folder else ()

    def _write_names(self, kind: str, key: str, names: tuple[str, ...]) -> None:
        self.cache.make(kind, key, lambda into: (into / _NAMES).write_bytes(msgspec.json.encode(names)))

    def _known(self, key: str) -> Built | None:
        """Return the result of an earlier build with the same key, if its bundle is still in the layout."""
        folder = self.cache.find("bundle", key)
        if folder is None:
            return None
        built = msgspec.json.decode((folder / "built.json").read_bytes(), type=Built)
        layout = Layout(self.order.output)
        try:
            if layout.functions().get(built.function) != built.digest:
                return None
            layout.open(built.digest)
        except BundleError:
            return None
        known = msgspec.structs.replace(built.report, folder=self._folder())
        report.write(known, self.order.output)
        return msgspec.structs.replace(built, report=known, cached=True)

    def _folder(self) -> str:
        """Return the function's folder, relative to the layout."""
        return os.path.relpath(self.sources.folder, self.order.output.resolve())

    def _make(self) -> tuple[Built, bool]:
        self.steps.begin("inspect")
        border = boundary.draw(self.sources, self.order.cache, self._wheels)
        function = import_function(self.order.folder, self.order.packages)
        models = list(models_of(sys.modules[function.spec.entry.partition(":")[0]]).values())
        border.admit(models)
        weights = tuple(pattern for model in models for pattern in model.weights)
        check_function(function.spec, function.is_async, [one.spec.name for one in models if one.batching])
        wanted, skipped = available(self.wanted) if models else ((), ())
        quantized = any(is_quantized(one) for one in wanted)
        self.steps.total = 4 + len(models) + len(STEPS) * bool(models) + quantized

        self.steps.begin("record")
        goldens = Goldens(function, models, self.sources, self.cache)
        golden = goldens.obtain(reuse=self.order.reuse_golden)
        if quantized:
            self.steps.begin("calibrate")
        answers = self._answers(function, models, golden, goldens.sessions)
        calibrations = Calibrations(function, models, self.sources, self.cache, goldens.sessions)
        compared = answers if answers is not None and answers.fit else None
        pieces = [
            self._piece(model, one, golden[model.spec.name], calibrations, compared)
            for model in models
            for one in wanted
        ]
        logs = (self.order.logs or self.order.cache / "logs") / function.spec.name
        made = Artifacts(self.cache, self.steps, goldens.sessions, logs, self.order.limit_s)
        makings = made.build(pieces)
        artifacts = [making.artifact() for making in makings if making.open]

        needed = [function.handler, *(model.builder for model in models)]
        self.looked = Looked(weights, self.sources.modules_elsewhere(needed))
        self.steps.begin("wheels")
        wheels = self._wheels()
        self.sources.check_wheels(wheels.folder)

        self.steps.begin("pack")
        requests = travelling.chosen(answers, function.spec)
        entries = tuple(
            _model_entry(function, model, artifacts, golden[model.spec.name], made.judgements[model.spec.name])
            for model in models
        )
        spec = msgspec.structs.replace(function.spec, readme=first_paragraph(self.order.folder))
        config = _config(spec, entries, artifacts, wheels, len(requests[0]))
        pairs = _Pairs(golden, made.judgements, _held_out(pieces))
        digest, size_bytes = self._write(config, artifacts, pairs, wheels, border.weights(), requests)

        self.steps.end()
        written = Report(
            function=function.spec.name,
            digest=digest,
            size_bytes=size_bytes,
            seconds=self.steps.seconds,
            models=tuple(_model_report(entry, golden, made.judgements[entry.spec.name]) for entry in entries),
            artifacts=_rows(makings, skipped, models),
            toolchain=environment.toolchain(),
            unseen=border.unseen,
            folder=self._folder(),
            warning="; ".join(filter(None, (answers.reference.unfit if answers else "", function.signature.note))),
        )
        report.write(written, self.order.output)
        return Built(digest, function.spec.name, written), any(one.stale for one in golden.values())

    def _wheels(self) -> Wheels:
        requirements = self.order.folder / "requirements.txt"
        return wheelhouse.resolved(requirements, self.order.python, self.order.platform, self.cache)

    def _answers(
        self,
        function: EdgeFunction[..., Any],
        models: Sequence[EdgeModel],
        golden: Mapping[str, Golden],
        sessions: dict[str, EagerSession],
    ) -> Answers | None:
        """Return eager's answers to the samples; None for a function without a model."""
        stale = any(one.stale for one in golden.values())
        return reference.obtain(function, models, self.sources, self.cache, sessions, stale=stale) if models else None

    def _piece(
        self,
        model: EdgeModel,
        target: Target,
        golden: Golden,
        calibrations: Calibrations,
        answers: Answers | None,
    ) -> ArtifactPlan:
        calibration, refusal = None, ""
        if is_quantized(target):
            try:
                calibration = calibrations.obtain(model, golden)
            except BuildError as error:  # the artifacts of float targets need none
                refusal = f"{target} of model {model.spec.name} is left out: {error}"
        key = self.sources.builder_key(model)
        return ArtifactPlan(model, target, key, golden, self.order.profiles, calibration, refusal, answers)

    def _write(
        self,
        config: BundleConfig,
        artifacts: Sequence[Artifact],
        pairs: _Pairs,
        wheels: Wheels,
        weights: Collection[Path],
        requests: tuple[list[Path], Reference],
    ) -> tuple[str, int]:
        """Pack the layers without `weights` and write the bundle; return its digest and its layers' bytes."""
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=self.order.cache) as scratch:
            out = Path(scratch)
            packed = [layers.code(self.sources.folder, out / "code.tar", weights, self.sources.shared)]
            if wheels.folder is not None:
                packed.append(layers.wheels(wheels.folder, out / "wheels.tar"))
            shared = references.found((one.entry.path, one.folder) for one in artifacts)
            for number, one in enumerate(artifacts):
                path = out / f"artifact-{number}.tar"
                packed.append(layers.artifact(one.entry, one.folder, path, shared[one.entry.path]))
            if pairs.golden:
                packed.append(layers.golden(pairs.files(config, out), out / "golden.tar"))
            if requests[0]:
                packed.append(layers.requests(requests[0], out / "requests.tar"))
                packed.append(layers.answers(travelling.encoded(requests[1]), out / "answers.tar"))
            digest = Layout(self.order.output).write(config, packed)
        return digest, sum(layer.descriptor.size for layer in packed)


def _config(
    function: FunctionSpec,
    models: tuple[ModelEntry, ...],
    artifacts: Sequence[Artifact],
    wheels: Wheels,
    requests: int,
) -> BundleConfig:
    return BundleConfig(
        function=function,
        models=models,
        artifacts=tuple(artifact.entry for artifact in artifacts),
        wheels=wheels.pins,
        python=wheels.python,
        platform=wheels.platform,
        edgefn=version("edgefn"),
        requests=requests,
    )


class _Pairs(NamedTuple):
    """What may travel of each model's golden pairs."""

    golden: Mapping[str, Golden]
    judgements: Mapping[str, Judgement]
    held_out: Mapping[str, Sequence[GoldenSample]]

    def files(self, config: BundleConfig, out: Path) -> dict[str, Path | bytes]:
        """Write each model's pairs into `out`, or zeros of the same shapes where no sample is to travel."""
        for name, own in self.golden.items():
            path = out / f"{name}.npz"
            if config.function.golden_inputs:
                own.write_kept(self.held_out.get(name, ()), self.judgements[name].sizes, path)
            else:
                travelling.write_zeros(own.path, path)
        return {name: out / f"{name}.npz" for name in self.golden}


def _held_out(pieces: Sequence[ArtifactPlan]) -> dict[str, Sequence[GoldenSample]]:
    """Return each model's calibration inputs that nothing was calibrated on."""
    return {piece.model.spec.name: piece.calibration.held_out for piece in pieces if piece.calibration is not None}


def _model_entry(
    function: EdgeFunction[..., Any],
    model: EdgeModel,
    artifacts: Sequence[Artifact],
    golden: Golden,
    judgement: Judgement,
) -> ModelEntry:
    spec = next(artifact.spec for artifact in artifacts if artifact.entry.model == model.spec.name)
    if model.batching is not None:
        check_outputs(spec.name, spec.inputs, spec.outputs)
        check_range(spec, model.batching)
    precisions = {one.entry.precision for one in artifacts if one.entry.model == spec.name} - {"fp32"}
    asked = {precision: model.bound_of(precision) for precision in sorted(precisions)}
    bounds = {precision: bound for precision, bound in asked.items() if bound is not None}
    kept = len(golden.samples) if function.spec.golden_inputs else 0
    return ModelEntry(spec, model.bound, kept, model.batching, bounds, judgement.judging)


def _model_report(entry: ModelEntry, golden: Mapping[str, Golden], judgement: Judgement) -> ModelReport:
    spec, own = entry.spec, golden[entry.spec.name]
    return ModelReport(
        model=spec.name,
        outputs=spec.outputs,
        golden=len(own.samples),
        golden_cached=own.cached,
        ranges=spec.ranges,
        sizes=len(judgement.sizes),
        refused=judgement.refused,
        classes={name: str(rule.scores) for name, rule in judgement.judging.outputs.items() if rule.scores},
        notes=own.notes,
    )


def _rows(makings: Sequence[ArtifactBuild], skipped: Sequence[Skipped], models: Sequence[EdgeModel]) -> Rows:
    rows = [making.report() for making in makings]
    rows += [one.report(model) for model in models for one in skipped]
    return tuple(sorted(rows, key=lambda row: row.order))
