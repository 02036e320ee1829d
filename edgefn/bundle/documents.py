"""The JSON documents of a bundle as bytes: one way to write each, and bounded, checked reading of the config.

Pure. A config that passes `parse_config` names no path outside the bundle's folder and asks for nothing that
this version does not know. Never guesses: what it cannot honour it refuses.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NoReturn, TypeVar

import msgspec

from edgefn.batching import MAX_WAIT_S, check_function, check_outputs, check_range
from edgefn.bundle import schemas
from edgefn.bundle.config import SCHEMA_VERSION, ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.oci.descriptors import check_digest
from edgefn.errors import BundleError, SpecError
from edgefn.options import MAX_THREADS
from edgefn.spec import NAME_PATTERN, FunctionSpec

# A registry may refuse a manifest over 4 MiB (distribution-spec); no honest bundle comes near.
MAX_DOCUMENT_BYTES = 4 * 2**20

_MODEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TARGET = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}/[a-z0-9]{1,31}(@[a-z0-9][a-z0-9_.-]{0,62})?")
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_SPECIFIER = re.compile(r"[0-9A-Za-z.,<>=!~*+ ]{1,100}")
_DEVICE = re.compile(r"/dev(/[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}){1,4}")
_TITLE = re.compile(r"[^\x00-\x1f\x7f-\x9f'\"`$;|&<>\\]{1,80}")
MAX_FEATURES = 256
MAX_NUMBER = 2**63 - 1
"""Of bytes and of counts: what 64 bits hold. A whole number in JSON may have 4,300 digits."""
Document = TypeVar("Document")


def refuse(problem: str) -> NoReturn:
    """Raise the BundleError of a document that edgefn refuses."""
    raise BundleError(f"bundle refused: {problem}; build it again with `edgefn build`, or copy it again")


def encode(document: msgspec.Struct) -> bytes:
    """Encode `document` as JSON, the same bytes for equal values.

    Members are in declared order, dictionaries are sorted.
    """
    return msgspec.json.encode(document, order="deterministic")


def decode(data: bytes, type: type[Document], what: str) -> Document:
    """Decode the `type` in `data`. Raise BundleError that names `what` and the place that does not fit."""
    if len(data) > MAX_DOCUMENT_BYTES:
        refuse(f"{what} is {len(data)} bytes, over the limit of {MAX_DOCUMENT_BYTES}")
    try:
        return msgspec.json.decode(data, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse(f"cannot read {what}: {error}")


def canonical(config: BundleConfig) -> BundleConfig:
    """Sort the sets in `config`, so that the order of building them does not change the digest."""
    return msgspec.structs.replace(
        config,
        models=tuple(sorted(config.models, key=lambda entry: entry.spec.name)),
        artifacts=tuple(sorted(config.artifacts, key=lambda entry: (entry.model, entry.target))),
        wheels=tuple(sorted(config.wheels, key=lambda wheel: (wheel.name, wheel.version))),
    )


class _Version(msgspec.Struct):
    schema_version: int


def parse_config(data: bytes) -> BundleConfig:
    """Parse the config in `data`. Raise BundleError on an unknown schema_version, key, name or entry."""
    version = decode(data, _Version, "config").schema_version
    if version != SCHEMA_VERSION:
        remedy = "update edgefn here" if version > SCHEMA_VERSION else "build the bundle again"
        raise BundleError(
            f"bundle's config has schema_version {version}, but this edgefn supports {SCHEMA_VERSION}: {remedy}"
        )
    config = decode(data, BundleConfig, "config")
    _check_function(config.function)
    _check_models(config)
    if not 0 <= config.requests <= MAX_NUMBER or (config.requests and not config.function.golden_inputs):
        refuse(f"config declares an impossible number of requests, {str(config.requests)[:30]}")
    _check_wheels(config)
    return config


def _check_function(function: FunctionSpec) -> None:
    if not re.fullmatch(NAME_PATTERN, function.name):
        refuse(f"function's name is {function.name!r}: use lower-case letters, digits and _, at most 63")
    if not _ENTRY.fullmatch(function.entry):
        refuse(f"function {function.name}: entry is {function.entry!r}, not module:attribute")
    least, most = function.scale
    above_zero = (function.memory_bytes, function.timeout_s, function.concurrency, most)
    from_zero = (function.idle_s, function.queue, function.max_body_bytes, least, most - least)
    if min(above_zero) <= 0 or min(from_zero) < 0 or not 0 <= function.threads <= MAX_THREADS:
        refuse(f"function {function.name}: a limit is negative, zero or out of order in {_limits(function)}")
    if max(function.memory_bytes, function.max_body_bytes) > MAX_NUMBER:
        refuse(f"function {function.name}: a size is over {MAX_NUMBER} bytes in {_limits(function)}")
    if wrong := schemas.fault([*(one.schema for one in function.parameters), function.result.schema]):
        refuse(f"function {function.name}: {wrong}")


def _limits(function: FunctionSpec) -> str:
    names = ("memory_bytes", "timeout_s", "idle_s", "scale", "concurrency", "queue", "max_body_bytes", "threads")
    return ", ".join(f"{name}={str(getattr(function, name))[:30]}" for name in names)


def _check_models(config: BundleConfig) -> None:
    models = [entry.spec.name for entry in config.models]
    _once(models, "model")
    _once([entry.path for entry in config.artifacts], "artifact")
    for entry in config.models:
        if not _MODEL.fullmatch(entry.spec.name) or not 0 <= entry.golden <= MAX_NUMBER:
            refuse(
                f"model {entry.spec.name[:80]!r} has an invalid name, or an invalid number of golden samples, "
                f"{str(entry.golden)[:30]}"
            )
        _check_batching(config.function, entry)
    known = set(models)
    for artifact in config.artifacts:
        check_artifact_names(artifact.model, artifact.target, where="config")
        if not _WORD.fullmatch(artifact.backend):
            refuse(f"artifact {artifact.path} has the backend {artifact.backend[:80]!r}, which is not a valid name")
        check_needs(artifact)
        if artifact.model not in known:
            refuse(f"artifact {artifact.path} belongs to model {artifact.model!r}, which the config lacks")
    for model in known - {artifact.model for artifact in config.artifacts}:
        refuse(f"model {model!r} has no artifact for any target")


def _check_batching(function: FunctionSpec, entry: ModelEntry) -> None:
    batching = entry.batching
    if batching is None:
        return
    name = entry.spec.name
    if batching.rows < 2 or not 0 <= batching.wait_s <= MAX_WAIT_S:
        refuse(f"model {name!r} has impossible batching, {batching.rows} rows and {batching.wait_s} s")
    try:
        check_function(function, False, [name])
        check_outputs(name, entry.spec.inputs, entry.spec.outputs)
        check_range(entry.spec, batching)
    except SpecError as error:
        refuse(str(error))


def check_artifact_names(model: str, target: str, *, where: str) -> None:
    """Refuse an invalid name of a model or a target: both become folder names."""
    if not _MODEL.fullmatch(model):
        refuse(f"{where} names model {model!r}: a model's name is a Python identifier of 63 letters at most")
    if not _TARGET.fullmatch(target):
        refuse(f"{where} names target {target!r}: a target is <profile>/<precision>[@<backend>], e.g. portable/fp32")


def check_needs(artifact: ArtifactEntry) -> None:
    """Refuse needs that no profile has.

    They appear in messages, and are compared by name with what is installed.
    """
    needs = artifact.needs
    if needs is None:
        return
    told = {
        "arch": (_WORD, needs.arch),
        "library": (_DISTRIBUTION, needs.library),
        "versions": (_SPECIFIER, needs.versions),
        "device": (_DEVICE, needs.device),
        "accelerator": (_TITLE, needs.accelerator),
    }
    for name, (pattern, value) in told.items():
        if value and not pattern.fullmatch(value):
            refuse(f"{artifact.path} needs the {name} {value[:80]!r}, which is not a valid one")
    if len(needs.features) > MAX_FEATURES or not all(map(_WORD.fullmatch, needs.features)):
        refuse(f"{artifact.path} needs invalid CPU features, or more than {MAX_FEATURES}")


def _check_wheels(config: BundleConfig) -> None:
    _once([wheel.name for wheel in config.wheels], "wheel")
    for wheel in config.wheels:
        check_digest(f"sha256:{wheel.sha256}", what=f"sha256 of wheel {wheel.name!r}")


def _once(names: list[str], what: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            refuse(f"config names {what} {name!r} more than once")
