"""Which real inputs int8 ranges are taken from, and which others judge what comes of it.

Golden samples judge, and a part of the calibration inputs that is held out. None is both: an int8 artifact is never
held against an input that it was calibrated on. Golden samples are not chosen here, for float artifacts are held
against them whatever int8 needs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn import golden
from edgefn.compile.cache.cache import Cache, hash_file, key_of
from edgefn.compile.cache.sources import Sources
from edgefn.compile.samples.goldens import Golden
from edgefn.compile.samples.samples import InputSource, spread
from edgefn.errors import BuildError
from edgefn.function import EdgeFunction
from edgefn.golden import GoldenSample, Pairs
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    from edgefn.compile.capture.eager import EagerSession

MAX_CALLS = 256
"""Calibration samples of a model."""

MAX_BYTES = 512 * 2**20
"""And their bytes together: each compiler of an int8 artifact holds them."""

ENOUGH = 8
"""With fewer calls to spare beside the golden ones, golden ones are taken too."""

ON_GOLDEN = 'calibrated on golden samples: give calibration="samples/calibration/*" or more samples'

HELD_OUT = 4
"""Each fourth calibration input judges instead, where there are `PLENTY`; `MAX_HELD_OUT` at most."""

PLENTY, MAX_HELD_OUT = 24, 64

_FILE, _INFO = "calibration.npz", "calibration.json"


class CalibrationInfo(msgspec.Struct, frozen=True):
    """`judges` are the numbers of the golden samples that may judge; `warning` is the report's warning on that."""

    judges: tuple[int, ...]
    warning: str = ""


@dataclass(frozen=True)
class Calibration:
    """A model's calibration samples, as a file."""

    path: Path
    info: CalibrationInfo

    @cached_property
    def digest(self) -> str:
        return hash_file(self.path)

    @cached_property
    def held_out(self) -> Sequence[GoldenSample]:
        """Return the calibration inputs that judge."""
        return golden.load_pairs(self.path).held_out


@dataclass(frozen=True)
class CalibrationChoice:
    """Samples to calibrate on, those held out to judge, and what else follows."""

    samples: Sequence[GoldenSample]
    info: CalibrationInfo
    held_out: Sequence[GoldenSample] = ()


def choose(
    golden_samples: Sequence[GoldenSample], recorded: Sequence[GoldenSample], *, given: bool
) -> CalibrationChoice:
    """Choose the samples to calibrate on among the calls `recorded`. Pure.

    `given` is true if the calls come from `calibration=`. Raises BuildError, with what to give, if no sample would be
    left to calibrate on, or none to judge.
    """
    known = {content(sample) for sample in golden_samples}
    spare = [sample for sample in recorded if content(sample) not in known]
    everyone = tuple(range(len(golden_samples)))
    if len(spare) >= ENOUGH or (given and spare):
        kept, held_out = divided(bounded(spare))
        return CalibrationChoice(kept, CalibrationInfo(everyone), held_out)
    if given:
        many = f"all {len(recorded)} calls that calibration= gives are golden samples, which judge int8"
        raise BuildError(f"{many}: give inputs that are not among samples=")
    taken = everyone[1::2]
    if not taken and not spare:
        raise BuildError(
            f"there is only {len(golden_samples)} sample, too few to calibrate and to judge: "
            'give more samples=, or calibration="samples/calibration/*"'
        )
    samples = [*spare, *(golden_samples[number] for number in taken)]
    return CalibrationChoice(bounded(samples), CalibrationInfo(everyone[::2], ON_GOLDEN))


def divided(samples: Sequence[GoldenSample]) -> tuple[list[GoldenSample], list[GoldenSample]]:
    """Return the samples to calibrate on and those to judge by, of `samples`."""
    if len(samples) < PLENTY:
        return list(samples), []
    every = max(HELD_OUT, -(-len(samples) // MAX_HELD_OUT))
    held_out = list(samples[1::every])
    return [sample for place, sample in enumerate(samples) if place % every != 1], held_out


def bounded(samples: Sequence[GoldenSample]) -> list[GoldenSample]:
    """Return at most MAX_CALLS of `samples` and about MAX_BYTES, evenly spread, in order; at least one."""
    total = sum(_size(sample) for sample in samples)
    fitting = len(samples) if total <= MAX_BYTES else max(1, len(samples) * MAX_BYTES // total)
    return spread(samples, min(MAX_CALLS, fitting))


def content(sample: GoldenSample) -> str:
    """Hash a sample's inputs: names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name in sorted(sample.inputs):
        array = sample.inputs[name]
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(array.tobytes())
    return found.hexdigest()


class Calibrations:
    """The calibration samples of `models`, from the cache or recorded now. Imports torch only when they must be."""

    def __init__(
        self,
        function: EdgeFunction[..., Any],
        models: Sequence[EdgeModel],
        sources: Sources,
        cache: Cache,
        sessions: dict[str, EagerSession],
    ) -> None:
        self._function = function
        self._models = models
        self._sources = sources
        self._cache = cache
        self._sessions = sessions

    def obtain(self, model: EdgeModel, golden_samples: Golden) -> Calibration:
        """Return the model's calibration samples, from the cache or recorded now.

        With golden samples that are stale, they are those that were recorded with them. Raises BuildError with the
        model's name if there are none to be had.
        """
        folder = self._find(model, golden_samples) or self._keep(model, golden_samples)
        return Calibration(folder / _FILE, msgspec.json.decode((folder / _INFO).read_bytes(), type=CalibrationInfo))

    def _find(self, model: EdgeModel, golden_samples: Golden) -> Path | None:
        if golden_samples.stale and (folder := self._cache.find("latest-calibration", hash_file(golden_samples.path))):
            return folder
        return self._cache.find("calibration", self._key(model, golden_samples))

    def _keep(self, model: EdgeModel, golden_samples: Golden) -> Path:
        key = self._key(model, golden_samples)
        try:
            folder = self._cache.make("calibration", key, lambda into: self._make(model, golden_samples, into))
        except BuildError as error:
            said = str(error).removeprefix(f"model {model.spec.name}: ")
            raise BuildError(f"model {model.spec.name} cannot be calibrated for int8: {said}") from error
        self._cache.make("latest-calibration", hash_file(golden_samples.path), lambda into: _copy(folder, into))
        return folder

    def _key(self, model: EdgeModel, golden_samples: Golden) -> str:
        return key_of(self._sources.calibration_key(model, self._function), hash_file(golden_samples.path))

    def _make(self, model: EdgeModel, golden_samples: Golden, into: Path) -> None:
        choice = choose(golden_samples.samples, self._record(model), given=model.calibration is not None)
        golden.write(Pairs(tuple(choice.samples), tuple(choice.held_out)), into / _FILE)
        (into / _INFO).write_bytes(msgspec.json.encode(choice.info))

    def _record(self, model: EdgeModel) -> Sequence[GoldenSample]:
        from edgefn.compile.samples.recording import record

        recorders = record(
            self._function,
            self._models,
            [model.spec.name],
            self._sources.folder,
            source=_source,
            sessions=self._sessions,
        )
        self._sessions.update({name: recorder.session for name, recorder in recorders.items()})
        return recorders[model.spec.name].kept


def _copy(folder: Path, into: Path) -> None:
    for name in (_FILE, _INFO):
        shutil.copyfile(folder / name, into / name)


def _source(model: EdgeModel) -> InputSource:
    # More than will be kept, for some may turn out to be golden samples.
    most = MAX_CALLS + golden.MAX_SAMPLES
    if model.calibration is not None:
        return InputSource("calibration", model.calibration, most)
    return InputSource("samples", model.samples, most)


def _size(sample: GoldenSample) -> int:
    arrays: list[Mapping[str, Any]] = [sample.inputs, sample.outputs]
    return sum(array.nbytes for each in arrays for array in each.values())
