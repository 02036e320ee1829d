"""The build report as a table for people. Pure but for rich; the JSON form is the compiler's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgefn_cli.display import wording

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]


def table(artifacts: Iterable[Row]) -> Table:
    """Return a table with one row for each artifact, in the report's order: the fastest first.

    Its size, its error against eager float32, its speed against it, the cost of making it, and its int8 part.
    """
    from edgefn_cli.display.tables import RowTable

    figures = ("SIZE", "ERROR", "TOP-1", "LATENCY", "OPSET", "TIME", "MEMORY")
    made = RowTable("MODEL", "TARGET", "STATUS", *figures, "INT8", titles=2, right=figures)
    for each in artifacts:
        made.add(*_cells(each))
    return made


def notes(artifacts: Iterable[Row], warning: str = "", models: Iterable[Row] = ()) -> Iterator[str]:
    """Yield the notes beside the figures: on models, toolchains, skipped artifacts, and warnings.

    `warning` is of the function.
    """
    for model in models:
        yield from (f"model {model['model']}: {note}" for note in model.get("notes") or ())
        yield from (f"model {model['model']}: {name} has {what}" for name, what in (model.get("classes") or {}).items())
    if made_with := _toolchain(artifacts := list(artifacts)):
        yield f"made with {made_with}"
    yield from (f"{each['target']}: {words}" for each in artifacts if (words := each.get("top_class")))
    if compared := _answers(artifacts):
        yield compared
    if warning:
        yield warning
    for each in artifacts:
        if mind := each.get("warning"):
            yield f"{each['target']} of model {each['model']}: {mind}"
        if each.get("status") == "skipped":
            yield f"{each['target']} of model {each['model']} was skipped: {each['reason']}"


def lengths(models: Iterable[Row]) -> Iterator[str]:
    """Yield the lengths that a model's free dimensions may have, where they are bounded."""
    import msgspec

    from edgefn.dimensions.sizes import told
    from edgefn.spec import SizeRange

    for each in models:
        if ranges := msgspec.convert(each.get("ranges", {}), dict[str, SizeRange]):
            yield f"model {each['model']} takes {told(ranges)}"


def _cells(each: Row) -> tuple[str, ...]:
    from edgefn.text.quantities import format_bytes, format_duration

    ratio, seconds, peak = each.get("latency_ratio"), each.get("seconds"), each.get("peak_bytes")
    status = str(each.get("status", "built"))
    return (
        str(each["model"]),
        str(each["target"]),
        "cached" if status == "built" and each.get("cached") else status,
        format_bytes(each["size_bytes"]) if each.get("size_bytes") else "-",
        wording.error(each.get("error")),
        wording.share(each.get("top1")),
        "-" if ratio is None else f"{ratio:.2f} × eager",
        str(each.get("opset") or "-"),
        format_duration(seconds) if seconds else "-",
        format_bytes(peak) if peak else "-",
        _quantized(each),
    )


def _quantized(each: Row) -> str:
    """Describe what is quantized: "97% of operations: 52 Conv, 1 MatMul; float: features.0".

    Returns "-" for a float artifact.
    """
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(each.get("quantized", {}).items()))
    if counts and (operations := each.get("share", {}).get("operations")):
        counts = f"{operations:.0%} of operations: {counts}"
    kept = ", ".join(each.get("kept", ()))
    return "; ".join(filter(None, [counts, kept and f"float: {kept}"])) or "-"


def _answers(artifacts: Iterable[Row]) -> str:
    """Return how many of the handler's answers match eager PyTorch's, by artifact.

    Returns "" where none were compared.
    """
    from edgefn.accuracy.answers.share import shown_at_least

    compared = [each for each in artifacts if (each.get("answers") or {}).get("of")]
    if not compared:
        return ""
    counts = ", ".join(f"{each['target']} {each['answers']['matched']} of {each['answers']['of']}" for each in compared)
    most = max(each["answers"]["of"] for each in compared)
    return (
        f"answers that match eager PyTorch's: {counts} ({most} of {most} shows at least "
        f"{shown_at_least(most, most):.2f})"
    )


def _toolchain(artifacts: Iterable[Row]) -> str:
    """Return names and versions of the toolchains, each once; without the opset, which has a column."""
    found = {f"{name} {text}": None for each in artifacts for name, text in each.get("toolchain", {}).items()}
    return ", ".join(one for one in found if not one.startswith("opset "))
