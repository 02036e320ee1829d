"""A bundle's config: what it holds, as the box reads it. The JSON blob that the OCI manifest calls `config`.

Unpacked, a bundle is one folder, whatever layers it came in:

    code/                                 the function's folder: handler module and data files
    wheels/                               site-packages of its requirements.txt, if it has one
    artifacts/<model>/<target slug>/      one portable artifact, e.g. artifacts/efficientnet/portable-fp32/
    artifacts/.../references.json         its files that lie in another artifact's folder (references.py)
    golden/<model>.npz                    golden pairs: see edgefn.golden
    requests/<n>                          bodies of some samples, which are requests
    answers/answers.msgpack               what the handler answers to them with eager PyTorch

With `golden_inputs=False` no sample is in it: requests/ and answers/ are missing, and golden/ holds one call of zeros
for each model, without outputs, by which artifacts are timed.
"""

from __future__ import annotations

import msgspec

from edgefn.accuracy.bound import Bound
from edgefn.accuracy.rules import Judging
from edgefn.spec import Batching, FunctionSpec, ModelSpec
from edgefn.targets.needs import Needs

BUNDLE_TYPE = "application/vnd.edgefn.bundle.v1"
CONFIG_TYPE = "application/vnd.edgefn.bundle.config.v1+json"
CODE_TYPE = "application/vnd.edgefn.code.v1.tar"
WHEELS_TYPE = "application/vnd.edgefn.wheels.v1.tar"
ARTIFACT_TYPE = "application/vnd.edgefn.artifact.v1.tar"
GOLDEN_TYPE = "application/vnd.edgefn.golden.v1.tar"
REQUESTS_TYPE = "application/vnd.edgefn.requests.v1.tar"
ANSWERS_TYPE = "application/vnd.edgefn.answers.v1.tar"
TARGET_ANNOTATION = "dev.edgefn.target"
MODEL_ANNOTATION = "dev.edgefn.model"

SCHEMA_VERSION = 1


class ArtifactEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model lowered for one target, e.g. target "portable/fp32" by backend "onnxruntime".

    `needs` are the machine needs of the target's profile at build time, so a box needs no file of a project's own
    profile. None in a bundle without them: a box then uses its own profile of that name.
    """

    model: str
    target: str
    backend: str
    toolchain: dict[str, str] = {}
    needs: Needs | None = None

    @property
    def path(self) -> str:
        """Return its folder below the unpacked bundle."""
        return f"artifacts/{self.model}/{self.target.replace('/', '-')}"

    @property
    def precision(self) -> str:
        """Return the target's precision, e.g. "int8" of "x86-64-v3/int8@openvino"."""
        return self.target.partition("/")[2].partition("@")[0]


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of the function, the rules that judge its artifacts, and the number of golden samples.

    `bound` and `bounds`, by precision, are the author's additional `tolerance=` and `Quantize(bound=...)`.
    `batching`: concurrent calls inside an instance are run as one; None where each runs separately.
    """

    spec: ModelSpec
    bound: Bound | None = None
    golden: int = 0
    batching: Batching | None = None
    bounds: dict[str, Bound] = {}
    judging: Judging = Judging()

    def bound_of(self, precision: str) -> Bound | None:
        """Return the bound of its artifacts of `precision`."""
        return self.bounds.get(precision, self.bound)


class Wheel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pinned distribution of the wheels layer. `requires` are its needs on what the box itself provides."""

    name: str
    version: str
    sha256: str
    requires: tuple[str, ...] = ()


class BundleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the box must know before it unpacks a byte. No timestamps, no host names: same sources, same digest.

    python       "3.11" when wheels or code need that very version, else ""
    requests     samples in requests/, which answers/ has the answers to
    platform     e.g. "manylinux_2_28_x86_64" when the wheels layer holds compiled code, else "any"
    """

    function: FunctionSpec
    models: tuple[ModelEntry, ...] = ()
    artifacts: tuple[ArtifactEntry, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    python: str = ""
    platform: str = "any"
    edgefn: str = ""
    requests: int = 0
    schema_version: int = SCHEMA_VERSION
