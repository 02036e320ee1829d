"""`edgefn invoke NAME`: one request to a function, as curl would send it, and its answer."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgefn.errors import InputError
from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument

if TYPE_CHECKING:
    from edgefn_cli.boxes.received import Received

_TIMING = re.compile(r'\s*([\w.-]+)(?:;dur=([0-9]+(?:\.[0-9]+)?))?(?:;desc="?([^",]*)"?)?')


def invoke(
    name: FunctionArgument,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="PATH", help="Send a file, typed by its extension; - is stdin."),
    ] = None,
    json_text: Annotated[
        str | None, typer.Option("--json", "-j", metavar="TEXT", help="Send JSON, e.g. '{\"n\": 1}'.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", metavar="TEXT", help="Send text.")] = None,
    form: Annotated[
        list[str] | None,
        typer.Option("--form", "-F", metavar="NAME=VALUE|NAME=@PATH", help="Send a form's field; repeatable."),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option("--query", "-q", metavar="NAME=VALUE", help="Add a parameter to the URL; repeatable."),
    ] = None,
    content_type: Annotated[
        str | None, typer.Option("--content-type", "-t", metavar="TYPE", help="The input's content type.")
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="TYPE", help="The content type of the answer, e.g. application/msgpack."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PATH", help="Write the answer to a file.")
    ] = None,
    timing: Annotated[
        bool, typer.Option("--timing", help="Show on stderr how long each phase took (Server-Timing).")
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="How long to wait; also sent to the box as a deadline.")
    ] = "5min",
    box: BoxOption = None,
) -> None:
    """Call a function and print its answer: coloured JSON at a terminal, the raw bytes into a pipe.

    Here --json is the input and does not change the output, which is the function's own answer.

    Example: edgefn invoke classify_image --file cat.jpg --timing
    """
    from edgefn.text.quantities import parse_duration
    from edgefn_cli.boxes.reach import reach
    from edgefn_cli.request import Body

    body = Body(file, json_text, data, tuple(form or ()), tuple(query or ()))
    options = body.options(content_type, accept)
    timeout_s = parse_duration(timeout, what="--timeout")
    if timeout_s == 0:
        raise InputError("--timeout is 0: give a time above 0, e.g. 30s")
    with reach(box) as client:
        answer = client.invoke(name, timeout_s=timeout_s, **options)
    if timing:
        _show_timing(answer)
    _write(answer, out)


def _write(answer: Received, out: Path | None) -> None:
    kind = answer.headers.get("content-type", "")
    if out is not None:
        try:
            out.write_bytes(answer.content)
        except OSError as error:
            raise InputError(f"the answer cannot be written to {out}: {error.strerror}") from error
    elif _is_json(kind):
        _print_json(answer)
    elif not output.is_terminal():
        _pipe(answer.content)
    elif kind.startswith("text/"):
        output.line(answer.text.removesuffix("\n"))
    else:
        size = len(answer.content)
        raise InputError(f"the answer has {size} bytes of {kind or 'unknown type'}: write it to a file with -o PATH")


def _print_json(answer: Received) -> None:
    if output.is_terminal():
        from rich.json import JSON

        output.draw(JSON(answer.text))
    else:
        _pipe(answer.content + b"\n")


def _pipe(content: bytes) -> None:
    """Write the function's own bytes to stdout, uninterpreted."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _is_json(kind: str) -> bool:
    bare = kind.partition(";")[0].strip().lower()
    return bare == "application/json" or bare.endswith("+json")


def _show_timing(answer: Received) -> None:
    """Print the phases that the box measured, then the round trip as seen from here, in milliseconds."""
    for entry in filter(None, answer.headers.get("server-timing", "").split(",")):
        if match := _TIMING.match(entry):
            took = f"{float(match[2]):9.2f} ms" if match[2] else " " * 12
            output.say(f"{match[1]:<10}{took}  {match[3] or ''}".rstrip())
    output.say(f"{'round trip':<10}{answer.seconds * 1e3:9.2f} ms")
