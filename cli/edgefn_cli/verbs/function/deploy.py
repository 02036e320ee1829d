"""`edgefn deploy PATH…`: functions onto a box."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgefn.errors import InputError
from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, JsonOption, PathsArgument, TargetsOption, TimeoutOption

if TYPE_CHECKING:
    from edgefn.bundle.oci.layout import Bundle
    from edgefn_cli.boxes.shipping import Shipped


def deploy(
    paths: PathsArgument = None,
    no_build: Annotated[
        bool, typer.Option("--no-build", help="Deploy what was built last, even when the sources have changed.")
    ] = False,
    bundle: Annotated[
        str | None,
        typer.Option("--bundle", metavar="LAYOUT[:NAME]", help="Deploy a bundle of this OCI layout directory."),
    ] = None,
    target: TargetsOption = None,
    timeout: TimeoutOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the box has finished every artifact, not the first ones alone.")
    ] = False,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build what has changed, upload what the box lacks, and switch to it once the box has proved it.

    Whatever goes wrong, the revision that served before goes on serving.

    Example: edgefn deploy functions/classify_image --box line-3
    Example: edgefn deploy functions/classify_image --target all-native --wait
    """
    from edgefn_cli.boxes.reach import reach
    from edgefn_cli.boxes.shipping import ship
    from edgefn_cli.boxes.shipping import wait as wait_for
    from edgefn_cli.display.failures import Unfinished
    from edgefn_cli.display.progress import VerbProgress
    from edgefn_cli.project.samples import travelling

    if bundle and paths:
        raise InputError("give either PATH or --bundle, not both")
    if (no_build or bundle) and (target or timeout):
        raise InputError("--target and --timeout are for what is built: leave them out, or --no-build and --bundle")
    options = {"targets": tuple(target or ()), "timeout": timeout}
    shipped, unfinished = [], []
    with reach(box) as client:
        client.box()  # a box that is not there, or a wrong token, is told before a minute of building
        for each in [_opened(bundle)] if bundle else _bundles(paths, options, build=not no_build):
            with VerbProgress() as progress:
                shipped.append(ship(client, each, progress))
                if wait:
                    unfinished.append(wait_for(client, shipped[-1], progress))
            shipped[-1] = replace(shipped[-1], finishing=0) if wait else shipped[-1]
            if not as_json:
                _show(shipped[-1])
                if told := travelling(each):
                    output.line(told)
    if as_json:
        output.result({"deployed": [each.as_json() for each in shipped]})
    if errors := list(filter(None, unfinished)):
        raise Unfinished(". ".join(map(str, errors)))


def _bundles(paths: PathsArgument, options: dict[str, Any], *, build: bool) -> list[Bundle]:
    """Return the bundles of the folders; build them all first, with `options` of their orders.

    All are built before the first one is deployed.
    """
    from edgefn.bundle.oci.layout import Layout
    from edgefn_cli.display.progress import VerbProgress
    from edgefn_cli.project import building
    from edgefn_cli.project.workplace import Workplace

    orders = Workplace.here().orders(paths, **options)
    if not build:
        return [building.built_last(order) for order in orders]
    with VerbProgress() as progress:
        built = [building.build(order, progress.build_event) for order in orders]
    if (lacking := building.partial(built)) is not None:
        output.say(f"warning: {lacking}")
    return [Layout(each.layout).open(each.digest) for each in built]


def _opened(reference: str) -> Bundle:
    """Open LAYOUT, LAYOUT:NAME or LAYOUT:sha256:…, as skopeo writes it."""
    from pathlib import Path

    from edgefn.bundle.oci.layout import Layout

    place, _, name = reference.partition(":")
    return Layout(Path(place)).open(name or None)


def _show(shipped: Shipped) -> None:
    from edgefn.text.quantities import format_bytes

    sent = f"{format_bytes(shipped.uploaded_bytes)} uploaded" if shipped.uploaded_blobs else "nothing to upload"
    output.line(f"{shipped.function}: revision {shipped.number} serves at {shipped.url} ({sent})")
    if shipped.finishing:
        several = "s are" if shipped.finishing > 1 else " is"
        watch = f"`edgefn status {shipped.function}` tells how far"
        output.line(f"{shipped.finishing} more artifact{several} being finished in the background; {watch}")
