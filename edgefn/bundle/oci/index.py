"""A layout's index.json: the manifest of each function's name. Pure; keeps entries of other tools.

Source: github.com/opencontainers/image-spec, image-index.md 1.1.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edgefn.bundle.config import BUNDLE_TYPE
from edgefn.bundle.documents import decode, encode, refuse
from edgefn.bundle.oci.descriptors import Blob, Descriptor
from edgefn.bundle.oci.manifest import MANIFEST_TYPE

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
NAME_ANNOTATION = "org.opencontainers.image.ref.name"


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """An OCI image index. `manifests` are kept as they came: other tools' members survive a write."""

    schema_version: int = 2
    media_type: str = INDEX_TYPE
    manifests: tuple[dict[str, Any], ...] = ()

    def names(self) -> dict[str, Descriptor]:
        """Return the tagged manifests by name; of two with one name, the last."""
        entries = (msgspec.convert(entry, Descriptor) for entry in self.manifests)
        return {e.annotations[NAME_ANNOTATION]: e for e in entries if NAME_ANNOTATION in e.annotations}

    def tagged(self, name: str, manifest: Blob) -> Index:
        """Return this index with `name` tagging `manifest` and nothing else."""
        entry = {
            "mediaType": MANIFEST_TYPE,
            "artifactType": BUNDLE_TYPE,
            "digest": manifest.digest,
            "size": manifest.size,
            "annotations": {NAME_ANNOTATION: name},
        }
        others = [entry for entry in self.manifests if _name(entry) != name]
        return msgspec.structs.replace(self, manifests=tuple(sorted([*others, entry], key=_name)))

    def encode(self) -> bytes:
        return encode(self)


def _name(entry: dict[str, Any]) -> str:
    return str(msgspec.convert(entry, Descriptor).annotations.get(NAME_ANNOTATION, ""))


def parse_index(data: bytes) -> Index:
    """Parse the index in `data`. Raise BundleError."""
    index = decode(data, Index, "index.json")
    if index.schema_version != 2 or index.media_type != INDEX_TYPE:
        refuse(f"index.json is {index.media_type!r} version {index.schema_version}, not {INDEX_TYPE!r} version 2")
    try:
        index.names()
    except msgspec.ValidationError as error:
        refuse(f"cannot read index.json: {error}")
    return index
