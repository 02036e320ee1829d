"""Blobs by content: digests, and the OCI descriptors that name them. Pure; never reads a file.

Source: github.com/opencontainers/image-spec, descriptor.md 1.1.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

import msgspec

from edgefn.bundle import config as formats
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError

LAYER_TYPES = (
    formats.CODE_TYPE,
    formats.WHEELS_TYPE,
    formats.ARTIFACT_TYPE,
    formats.GOLDEN_TYPE,
    formats.REQUESTS_TYPE,
    formats.ANSWERS_TYPE,
)
_FOLDERS = {
    formats.CODE_TYPE: "code",
    formats.WHEELS_TYPE: "wheels",
    formats.GOLDEN_TYPE: "golden",
    formats.REQUESTS_TYPE: "requests",
    formats.ANSWERS_TYPE: "answers",
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Blob(NamedTuple):
    """A blob by content: what to ask a box for, and how many bytes it has."""

    digest: str
    size: int


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An OCI content descriptor. Unknown members are ignored, as the specification asks."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}

    @property
    def model(self) -> str:
        """Return the model of an artifact layer, else ""."""
        return self.annotations.get(formats.MODEL_ANNOTATION, "")

    @property
    def target(self) -> str:
        """Return the target of an artifact layer, else ""."""
        return self.annotations.get(formats.TARGET_ANNOTATION, "")

    @property
    def folder(self) -> str:
        """Return the folder below the unpacked bundle that contains every member of this layer."""
        if self.media_type == formats.ARTIFACT_TYPE:
            return ArtifactEntry(self.model, self.target, backend="").path
        return _FOLDERS[self.media_type]

    @property
    def order(self) -> tuple[int, str, str]:
        """Return the layer's sort key in a manifest; it does not depend on the order of making the layers."""
        known = self.media_type in LAYER_TYPES
        place = LAYER_TYPES.index(self.media_type) if known else len(LAYER_TYPES)
        return (place, self.model, self.target)


def digest_of(data: bytes) -> str:
    """Return the OCI digest of `data`: "sha256:<hex>"."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(text: str, *, what: str = "digest") -> str:
    """Return `text` if it is a sha256 digest in its one spelling. Raise BundleError."""
    if not _DIGEST.fullmatch(text):
        raise BundleError(f"{what} is {text[:80]!r}: write sha256: and 64 lower-case hexadecimal digits")
    return text
