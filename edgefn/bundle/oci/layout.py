"""An OCI image layout: the directory that bundles lie in, on a build machine or a USB stick.

    oci-layout           {"imageLayoutVersion":"1.0.0"}
    index.json           one manifest for each function, tagged with its name; the last written wins
    blobs/sha256/<hex>   manifests, configs and layers; written once, shared by all that name them

Blobs are on the disk before the index names them, and the index is replaced in one rename: a reader sees the
old bundle or the new one. Never removes a blob, never drops another tool's entry from the index.

Source: github.com/opencontainers/image-spec, image-layout.md 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgefn.bundle.config import BundleConfig
from edgefn.bundle.documents import decode, refuse
from edgefn.bundle.layers import PackedLayer
from edgefn.bundle.oci.blobs import BlobFolder, read_document
from edgefn.bundle.oci.descriptors import Blob, Descriptor, digest_of
from edgefn.bundle.oci.index import Index, parse_index
from edgefn.bundle.oci.manifest import Manifest, agree, compose, parse_config, parse_manifest
from edgefn.errors import BuildError, BundleError
from edgefn.system.durable import discard_partial, locked, replace_file

_MARKER = b'{"imageLayoutVersion":"1.0.0"}'


class _Marker(msgspec.Struct, rename="camel"):
    image_layout_version: str


@dataclass(frozen=True)
class Bundle:
    """One bundle of a layout, its manifest and config read and checked."""

    manifest_blob: Blob
    manifest: Manifest
    config: BundleConfig
    folder: BlobFolder

    @property
    def manifest_digest(self) -> str:
        return self.manifest_blob.digest

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return self.manifest.layers

    def blobs(self) -> tuple[Blob, ...]:
        """Return each blob that a box needs, as (digest, size): the manifest, the config and the layers."""
        return (self.manifest_blob, *self.manifest.blobs())

    def blob_path(self, digest: str) -> Path:
        """Return the file that holds the blob."""
        return self.folder.file(digest)

    def verify(self) -> None:
        """Raise BundleError unless every blob hashes to its digest."""
        for blob in self.blobs():
            self.folder.check(blob)


class Layout:
    """The layout at `path`, which need not exist before the first `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs = BlobFolder(path / "blobs" / "sha256")

    def functions(self) -> dict[str, str]:
        """Return the manifest digest of each function's name. Raise BundleError."""
        return {name: entry.digest for name, entry in self._index().names().items()}

    def open(self, reference: str | None = None) -> Bundle:
        """Open the bundle of a manifest digest or a function's name; without `reference`, the only bundle.

        Check the manifest and the config by digest and the layers by size; `Bundle.verify` hashes the layers too. Raise
        BundleError that names a part that is missing, damaged or not of an edgefn bundle.
        """
        digest = reference if reference and reference.startswith("sha256:") else self._named(reference)
        data = self.blobs.document(digest)
        manifest = parse_manifest(data)
        config = parse_config(self.blobs.document(manifest.config.digest, manifest.config.size))
        agree(manifest, config)
        for blob in manifest.blobs():
            self.blobs.check_size(blob)
        return Bundle(Blob(digest, len(data)), manifest, config, self.blobs)

    def write(self, config: BundleConfig, layers: Sequence[PackedLayer]) -> str:
        """Write the bundle to the layout and the disk; return its manifest digest.

        It is tagged with its function's name. Writing the same again changes nothing. An interrupted write leaves the
        index unchanged. Raise BundleError where config and layers do not fit together, DiskFull, and BuildError where
        `path` cannot be written.
        """
        manifest, config_document = compose(config, [layer.descriptor for layer in layers])
        blob = Blob(digest_of(manifest), len(manifest))
        with self._writing():
            for layer in layers:
                self.blobs.put(Blob(layer.descriptor.digest, layer.descriptor.size), layer.path)
            self.blobs.put(Blob(digest_of(config_document), len(config_document)), config_document)
            self.blobs.put(blob, manifest)
            self._tag(config.function.name, blob)
        return blob.digest

    def _named(self, name: str | None) -> str:
        names = self.functions()
        if name is None and len(names) == 1:
            return next(iter(names.values()))
        if name is None or name not in names:
            wanted = f"no bundle of {name!r}" if name else "not exactly one bundle"
            raise BundleError(
                f"{self.path} has {wanted} (it has {', '.join(names) or 'none'}): choose one, or build it"
            )
        return names[name]

    def _index(self) -> Index:
        if not (self.path / "oci-layout").is_file():
            raise BundleError(f"{self.path} is not an OCI image layout (no file oci-layout): build a bundle into it")
        marker = decode(read_document(self.path / "oci-layout"), _Marker, "oci-layout")
        if not marker.image_layout_version.startswith("1."):
            refuse(f"{self.path} is an OCI image layout {marker.image_layout_version}, but this edgefn supports 1.x")
        return parse_index(read_document(self.path / "index.json"))

    def _tag(self, name: str, manifest: Blob) -> None:
        try:
            index = self._index() if (self.path / "index.json").exists() else Index()
        except BundleError as error:
            raise BuildError(f"{self.path} cannot take another bundle ({error}): remove it and build again") from error
        if index.tagged(name, manifest) != index:
            replace_file(self.path / "index.json", [index.tagged(name, manifest).encode()])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the layout for writing: its folders exist, and no other process writes."""
        try:
            self.blobs.path.mkdir(parents=True, exist_ok=True)
            with locked(self.path):
                discard_partial(self.path)
                discard_partial(self.blobs.path)
                if not (self.path / "oci-layout").exists():
                    replace_file(self.path / "oci-layout", [_MARKER])
                yield
        except OSError as error:
            raise BuildError(f"cannot write the bundle to {self.path}: {error}; choose another folder") from error
