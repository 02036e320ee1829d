"""`edgefn build PATH…`: bundles of functions, ready to deploy or to carry away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.options import JsonOption, PathsArgument, TargetsOption, TimeoutOption

if TYPE_CHECKING:
    from edgefn_cli.project.building import BuildResult


def build(
    paths: PathsArgument = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="LAYOUT", help="The OCI layout directory. Default: the project's."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild everything, even what has not changed.")] = False,
    target: TargetsOption = None,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build functions into bundles: capture each model, lower it, compare it with eager PyTorch, pack it.

    Each artifact is compiled in its own process. A failed one is named and left out, and the exit code is 13.
    What has not changed comes from the cache. The layout is a directory that `skopeo copy oci:…` reads.

    Example: edgefn build functions/classify_image --target all-native
    """
    from edgefn_cli.display.progress import VerbProgress
    from edgefn_cli.project import building
    from edgefn_cli.project.workplace import Workplace

    built = []
    options = {"force": force, "targets": tuple(target or ()), "timeout": timeout}
    for order in Workplace.here().orders(paths, layout=out, **options):
        with VerbProgress() as progress:
            built.append(building.build(order, progress.build_event))
        if not as_json:
            _show(built[-1])
    if as_json:
        output.result({"built": [each.as_json() for each in built]})
    if (error := building.partial(built)) is not None:
        raise error


def _show(built: BuildResult) -> None:
    from edgefn.bundle.oci.layout import Layout
    from edgefn_cli.display import report
    from edgefn_cli.project import samples

    unchanged = " (unchanged)" if built.cached else ""
    output.line(f"{built.function} {built.digest}{unchanged} in {built.layout}")
    if built.artifacts:
        output.draw(report.table(built.artifacts))
    warning = str(built.report.get("warning", ""))
    for note in (*report.lengths(built.models), *report.notes(built.artifacts, warning, built.models)):
        output.line(note)
    if unseen := built.report.get("unseen"):
        output.line(f"cannot see which files native libraries read ({unseen}): name weights in weights=")
    if told := samples.travelling(Layout(built.layout).open(built.digest)):
        output.line(told)
