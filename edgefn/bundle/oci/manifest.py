"""The OCI image manifest of a bundle: how it is composed, and what is accepted when one is read.

Pure: bytes in, values out. Everything a box learns about a bundle before it unpacks a byte passes through
`parse_manifest`, `parse_config` and `agree`. Never reads a file.

Source: github.com/opencontainers/image-spec, manifest.md 1.1, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from edgefn.bundle import config as formats
from edgefn.bundle.config import BundleConfig
from edgefn.bundle.documents import (
    MAX_DOCUMENT_BYTES,
    canonical,
    check_artifact_names,
    decode,
    encode,
    parse_config,
    refuse,
)
from edgefn.bundle.oci.descriptors import LAYER_TYPES, Blob, Descriptor, check_digest, digest_of

__all__ = [
    "Blob",
    "Descriptor",
    "Manifest",
    "agree",
    "compose",
    "digest_of",
    "parse_config",
    "parse_manifest",
]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
TITLE_ANNOTATION = "org.opencontainers.image.title"


class Manifest(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """An OCI image manifest 1.1, used as an artifact; unknown members are ignored, as it asks."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}

    def blobs(self) -> tuple[Blob, ...]:
        """Return the digest and size of the config and of each layer, each once."""
        return tuple(dict.fromkeys(Blob(d.digest, d.size) for d in (self.config, *self.layers)))


def compose(config: BundleConfig, layers: Iterable[Descriptor]) -> tuple[bytes, bytes]:
    """Compose the manifest and the config as bytes, and check both like a box. Raise BundleError."""
    config_bytes = encode(canonical(config))
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        artifact_type=formats.BUNDLE_TYPE,
        config=Descriptor(formats.CONFIG_TYPE, digest_of(config_bytes), len(config_bytes)),
        layers=tuple(sorted(layers, key=lambda layer: layer.order)),
        annotations={TITLE_ANNOTATION: config.function.name},
    )
    manifest_bytes = encode(manifest)
    agree(parse_manifest(manifest_bytes), parse_config(config_bytes))
    return manifest_bytes, config_bytes


def parse_manifest(data: bytes) -> Manifest:
    """Parse the manifest in `data`. Raise BundleError unless it is an edgefn bundle's manifest."""
    manifest = decode(data, Manifest, "manifest")
    kind = (manifest.media_type, manifest.schema_version)
    if kind != (MANIFEST_TYPE, 2):
        refuse(f"manifest is {kind[0] or 'untyped'!r} version {kind[1]}, not {MANIFEST_TYPE!r} version 2")
    if manifest.artifact_type != formats.BUNDLE_TYPE:
        refuse(f"manifest's artifactType is {manifest.artifact_type!r}, not {formats.BUNDLE_TYPE!r}")
    _check_config(manifest.config)
    _check_sizes(manifest)
    _check_layers(manifest.layers)
    return manifest


def _check_config(config: Descriptor) -> None:
    if config.media_type != formats.CONFIG_TYPE:
        refuse(f"config has media type {config.media_type!r}, not {formats.CONFIG_TYPE!r}")
    if config.size > MAX_DOCUMENT_BYTES:
        refuse(f"config is {config.size} bytes, over the limit of {MAX_DOCUMENT_BYTES}")


def _check_sizes(manifest: Manifest) -> None:
    sizes: dict[str, int] = {}
    for blob in (manifest.config, *manifest.layers):
        check_digest(blob.digest, what=f"digest of a {blob.media_type}")
        if blob.size < 0 or sizes.setdefault(blob.digest, blob.size) != blob.size:
            refuse(f"blob {blob.digest} has the impossible size of {blob.size} bytes")


def _check_layers(layers: tuple[Descriptor, ...]) -> None:
    folders: set[str] = set()
    for layer in layers:
        if layer.media_type not in LAYER_TYPES:
            refuse(f"layer {layer.digest} has media type {layer.media_type!r}, not one of {LAYER_TYPES}")
        if layer.media_type == formats.ARTIFACT_TYPE:
            check_artifact_names(layer.model, layer.target, where=f"layer {layer.digest}")
        if layer.folder in folders:
            refuse(f"two layers hold {layer.folder}/")
        folders.add(layer.folder)


def agree(manifest: Manifest, config: BundleConfig) -> None:
    """Raise BundleError unless the manifest has exactly the layers that the config names."""
    expected = {"code"} | {entry.path for entry in config.artifacts}
    expected |= {"wheels"} if config.wheels else set()
    timed = bool(config.models) and not config.function.golden_inputs
    expected |= {"golden"} if timed or any(entry.golden for entry in config.models) else set()
    expected |= {"requests", "answers"} if config.requests else set()
    found = {layer.folder for layer in manifest.layers}
    for folder in sorted(expected - found):
        refuse(f"no layer holds {folder}/, which the config of {config.function.name} names")
    for folder in sorted(found - expected):
        refuse(f"a layer holds {folder}/, which the config of {config.function.name} does not name")
