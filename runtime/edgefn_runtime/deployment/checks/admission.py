"""A bundle as it lies in the blob store, let in or refused before a byte of it is unpacked.

Never writes, but for a damaged blob that is dropped so that it can come again.
"""

from __future__ import annotations

import msgspec

from edgefn.bundle.config import BundleConfig
from edgefn.bundle.documents import MAX_DOCUMENT_BYTES
from edgefn.bundle.oci.descriptors import Blob, Descriptor
from edgefn.bundle.oci.manifest import agree, parse_config, parse_manifest
from edgefn.errors import BundleError
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.uncancellable import in_thread


class Candidate(msgspec.Struct, frozen=True):
    """A bundle whose blobs are all on this box and hash-checked. `blobs` lists all of them, the manifest first."""

    digest: str
    config: BundleConfig
    config_bytes: bytes
    layers: tuple[Descriptor, ...]
    blobs: tuple[Blob, ...]


async def admit(blobs: Blobs, digest: str, progress: DeploymentProgress) -> Candidate:
    """Verify the bundle whose manifest is `digest` and return it.

    Raises BundleError when it is incomplete, damaged or not a bundle.
    """
    manifest_bytes = await in_thread(blobs.read, digest, limit=MAX_DOCUMENT_BYTES)
    manifest = parse_manifest(manifest_bytes)
    needed = manifest.blobs()
    if missing := blobs.missing(blob.digest for blob in needed):
        raise BundleError(
            f"bundle {digest} is incomplete: {len(missing)} of its blobs are not on this box "
            f"({', '.join(missing)}); deploy again to upload them"
        )
    for done, blob in enumerate(needed):
        progress("verify", done, len(needed), blob.digest)
        await in_thread(blobs.verify, blob)
    config_bytes = await in_thread(blobs.read, manifest.config.digest, limit=MAX_DOCUMENT_BYTES)
    config = parse_config(config_bytes)
    agree(manifest, config)
    progress("verify", len(needed), len(needed))
    everything = (Blob(digest, len(manifest_bytes)), *needed)
    return Candidate(digest, config, config_bytes, manifest.layers, everything)


def check_name(candidate: Candidate, name: str) -> None:
    """Raise BundleError when the bundle is not of the function `name`."""
    built = candidate.config.function.name
    if built != name:
        raise BundleError(f"bundle {candidate.digest} is of the function {built}, not {name}: deploy it as {built}")
