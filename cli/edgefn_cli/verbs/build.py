"""`edgefn build PATH…`: bundles of functions, ready to deploy or to carry away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgefn_cli import output
from edgefn_cli.options import JsonOption, PathsArgument

if TYPE_CHECKING:
    from edgefn_cli.building import Built


def build(
    paths: PathsArgument = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="LAYOUT", help="The OCI layout directory. Default: the project's."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Build anew what has not changed, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Build functions into bundles: capture each model, lower it, hold it against eager PyTorch, pack it.

    What has not changed is taken from the cache. The layout is a directory that `skopeo copy oci:…` reads.

    Example: edgefn build functions/classify_image
    """
    from edgefn_cli import building
    from edgefn_cli.progress import Progress
    from edgefn_cli.workplace import Workplace

    built = []
    for order in Workplace.here().orders(paths, layout=out, force=force):
        with Progress() as progress:
            built.append(building.build(order, progress.build_event))
        if not as_json:
            _show(built[-1])
    if as_json:
        output.result({"built": [each.as_json() for each in built]})


def _show(built: Built) -> None:
    from edgefn_cli import report

    artifacts: list[dict[str, Any]] = list(built.report.get("artifacts", ()))
    unchanged = " (unchanged)" if built.cached else ""
    output.line(f"{built.function} {built.digest}{unchanged} in {built.layout}")
    if artifacts:
        output.draw(report.table(artifacts))
