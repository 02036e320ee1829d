"""A plan of one artifact: its model, its target, and keys of all that it depends on.

Reads what is installed; otherwise pure. Never makes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import backends
from edgefn.accuracy.bound import Bound
from edgefn.compile import lower
from edgefn.compile.answers.reference import Answers
from edgefn.compile.answers.trial import AnswerTrial
from edgefn.compile.cache import environment
from edgefn.compile.cache.cache import hash_file, key_of
from edgefn.compile.jobs.job import Job
from edgefn.compile.samples.calibration import Calibration
from edgefn.compile.samples.goldens import Golden
from edgefn.golden import GoldenSample
from edgefn.model import EdgeModel
from edgefn.spec import ModelSpec
from edgefn.targets import profiles
from edgefn.targets.profiles import Target

if TYPE_CHECKING:
    from edgefn.compile.judging.judgement import Judgement


@dataclass(frozen=True)
class ArtifactPlan:
    """What one artifact is made and judged by.

    builder_key  of the model's network (`Sources.builder_key`)
    profiles     the project's folder of profiles
    calibration  where the target is int8; `refusal` says why there is none
    answers      eager's answers, where the handler's are compared with them
    """

    model: EdgeModel
    target: Target
    builder_key: str
    golden: Golden
    profiles: Path | None = None
    calibration: Calibration | None = None
    refusal: str = ""
    answers: Answers | None = None

    @property
    def name(self) -> str:
        """Return the artifact's name, for messages."""
        return f"{self.target} of model {self.model.spec.name}"

    @property
    def bound(self) -> Bound | None:
        """Return the bound that the author sets beside `accuracy=`."""
        return self.model.bound_of(self.target.precision)

    @property
    def sizes(self) -> dict[str, int]:
        """Return the sizes of the model's symbolic dimensions in the first golden sample."""
        return sizes(self.model.spec, self.golden.samples)

    @property
    def judges(self) -> tuple[int, ...]:
        """Return the numbers of the golden samples that the artifact is compared with."""
        return self.calibration.info.judges if self.calibration else tuple(range(len(self.golden.samples)))

    @cached_property
    def capture_key(self) -> str:
        """Return a key of all that the captured network depends on."""
        return key_of(self.builder_key, self.sizes)

    @cached_property
    def key(self) -> str:
        """Return a key of all that the artifact depends on.

        It is the same in each build, whichever other artifacts that build makes.
        """
        lowering = lower.get(self.target.backend)
        options = [msgspec.to_builtins(one) for one in (self.bound, self.model.accuracy, self.model.quantize)]
        quantized = [
            *((self.calibration.digest, hash_file(self.golden.path)) if self.calibration else ("",)),
            *(options if is_quantized(self.target) else []),
        ]
        profile = msgspec.to_builtins(profiles.profiles(self.profiles)[self.target.profile])
        return key_of(self.capture_key, str(self.target), profile, lowering.name, lowering.probe().version, quantized)

    @cached_property
    def proof_key(self) -> str:
        """Return a key of all that the artifact's agreement with its golden samples depends on."""
        asked = [msgspec.to_builtins(one) for one in (self.bound, self.model.accuracy)]
        engine = backends.get(self.target.backend).probe().version
        given = [hash_file(self.golden.path), self.calibration.digest if self.calibration else "", self.judging_key]
        return key_of(self.key, engine, given, list(self.judges), asked, self.model.batching is not None)

    @cached_property
    def judging_key(self) -> str:
        """Return a key of all that the model's `Judging` depends on."""
        accuracy = msgspec.to_builtins(self.model.accuracy)
        slices = [[owner, list(functions)] for owner, functions in self.model.slices.items()]
        return key_of(self.capture_key, hash_file(self.golden.path), accuracy, slices)

    @cached_property
    def answers_key(self) -> str:
        """Return a key of all that the handler's answers with the artifact depend on."""
        own = self.answers
        return key_of(self.key, own.key if own else "", environment.own_code("accuracy", "compile/answers"))

    def job(
        self,
        cache: Path,
        files: Path,
        capture: Path | None,
        judged: Judgement,
        *,
        lower: bool,
        prove: bool,
        time: bool,
        trial: AnswerTrial | None = None,
    ) -> Job:
        """Return the job of a compiler process, with the steps that the caller asks for."""
        return Job(
            model=self.model.spec.name,
            target=self.target,
            cache=str(cache),
            capture=str(capture) if capture else "",
            golden=str(self.golden.path),
            judges=self.judges,
            calibration=str(self.calibration.path) if self.calibration else "",
            sizes=self.sizes,
            judging=judged.judging,
            sizes_file=str(judged.sizes_path),
            bound=self.bound,
            quantize=self.model.quantize,
            batched=self.model.batching is not None,
            opset=profiles.runtime_of(self.target, self.profiles).opset,
            profiles=str(self.profiles) if self.profiles else "",
            files=str(files),
            lower=lower,
            prove=prove,
            time=time,
            trial=trial,
        )


def is_quantized(target: Target) -> bool:
    """Tell whether the target is quantized.

    Its artifacts need calibration samples, and have an accuracy bound of their own.
    """
    return target.precision.startswith("int")


def sizes(spec: ModelSpec, samples: Sequence[GoldenSample]) -> dict[str, int]:
    """Return the sizes of the model's symbolic dimensions in the first golden sample."""
    return {
        size: actual
        for name, tensor in spec.inputs.items()
        for size, actual in zip(tensor.shape, samples[0].inputs[name].shape, strict=True)
        if isinstance(size, str)
    }
