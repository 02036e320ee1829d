"""A bundle's way from a layout directory onto a box: only the blobs it lacks, then the deployment's steps.

It must never change the layout, nor decide what is deployed.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgefn.api.deployments import DeployedEvent, StepEvent, WarningEvent
from edgefn_cli.display import wording
from edgefn_cli.display.failures import Unfinished

if TYPE_CHECKING:
    from edgefn.bundle.oci.layout import Bundle
    from edgefn_cli.boxes.client import Client
    from edgefn_cli.display.progress import VerbProgress


WAIT_S = 0.5
"""Between two looks at how far a box is."""


@dataclass(frozen=True)
class Shipped:
    """A revision that serves, and the figures of its upload."""

    function: str
    revision: str
    number: int
    url: str
    uploaded_blobs: int
    uploaded_bytes: int
    finishing: int = 0
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the members of the deploy verb's JSON."""
        return asdict(self)


def ship(client: Client, bundle: Bundle, progress: VerbProgress) -> Shipped:
    """Upload and deploy the bundle; it serves on the box when this returns.

    Raises the error that the box refused it with.
    """
    name = bundle.config.function.name
    blobs, size = _upload(client, bundle, progress)
    done: DeployedEvent | None = None
    warnings: list[str] = []
    for event in client.deploy(name, bundle.manifest_digest):
        match event:
            case StepEvent(name="permit"):
                progress.say(_words(name, event))  # what a function may have stays on the screen when the bar is gone
            case StepEvent():
                progress.step(_words(name, event), event.done, event.total)
            case WarningEvent():
                warnings.append(event.text)
                progress.say(f"warning: {name}, {event.text}")
            case DeployedEvent():
                done = event
    assert done is not None  # else it has raised
    return Shipped(
        function=name,
        revision=done.revision,
        number=done.number,
        url=f"{client.address.url}/fn/{name}",
        uploaded_blobs=blobs,
        uploaded_bytes=size,
        finishing=done.finishing,
        warnings=tuple(warnings),
    )


def wait(client: Client, shipped: Shipped, progress: VerbProgress) -> Unfinished | None:
    """Wait until no artifact of the shipped bundle is being finished, or another revision serves.

    Returns an error where an artifact could not be finished. An artifact that is out of its bound, or for another box,
    is no error.
    """
    while (found := client.function(shipped.function).value).revision == shipped.revision:
        if not (finishing := found.finishing):
            return _unfinished(client, shipped)
        text = f"finish {shipped.function}: {finishing.artifact or 'waiting for the next artifact'}"
        progress.step(text, finishing.done, finishing.total)
        time.sleep(WAIT_S)
    return None


def _unfinished(client: Client, shipped: Shipped) -> Unfinished | None:
    found = client.explain(shipped.function).value
    failed = [one for one in found.artifacts if one.state in ("broken", "unfinished")]
    if found.revision != shipped.revision or not failed:
        return None
    reasons = "; ".join(f"{one.model} {one.target}: {one.reason}" for one in failed)
    return Unfinished(
        f"{shipped.function} is deployed, but the box could not finish {len(failed)} of its artifacts: {reasons}"
    )


def _upload(client: Client, bundle: Bundle, progress: VerbProgress) -> tuple[int, int]:
    """Upload the blobs that the box lacks; return their number and bytes."""
    sizes = {blob.digest: blob.size for blob in bundle.blobs()}
    missing = [digest for digest in client.missing(list(sizes)) if digest in sizes]
    total = sum(sizes[digest] for digest in missing)
    if missing:
        progress.transfer(f"upload {bundle.config.function.name}", total)
    for digest in missing:
        client.upload(digest, bundle.blob_path(digest), progress.sent)
    return len(missing), total


def _words(name: str, event: StepEvent) -> str:
    shown = wording.digest(event.detail) if event.detail.startswith("sha256:") else event.detail
    return " ".join(filter(None, [f"deploy {name}:", event.name, shown]))
