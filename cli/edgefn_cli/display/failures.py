"""Errors as the user sees them: one line on stderr, or one problem object with --json; a trace only when asked for.

Owns wording and exit codes. It must never swallow an error: whatever comes in, a code other than 0 goes out.
"""

from __future__ import annotations

import json
import os
import traceback
from typing import Any

from typer import Abort, Exit
from typer.core import TyperCommand

from edgefn import extras
from edgefn.errors import EdgefnError
from edgefn_cli.display import output

DEBUG = "EDGEFN_DEBUG"
_DECLINED = 1


class MissingExtra(EdgefnError):
    """A part of edgefn that this installation lacks; the message names the pip command."""

    status = 501

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed here: {extras.hint(extra)}")


class Unfinished(EdgefnError):
    """A function serves, but the box could not finish an artifact of it; the message names each with its reason."""

    status = 422
    exit_code = 14


class Verb(TyperCommand):
    """A command whose EdgefnErrors are shown in the form that its own --json asks for."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EdgefnError as error:
            raise Exit(report(error, as_json=bool(ctx.params.get("as_json")))) from error


def debugging() -> bool:
    """Tell whether traces are wanted: after `edgefn --debug …` or with EDGEFN_DEBUG=1."""
    return os.environ.get(DEBUG, "0") not in ("", "0")


def report(error: Exception, *, as_json: bool = False) -> int:
    """Print `error` on stderr; return the exit code to leave with."""
    if debugging():
        output.say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, EdgefnError):
        _tell(error, as_json=as_json)
        return error.exit_code
    if isinstance(error, Abort):
        output.say("error: aborted. Use --yes to skip this prompt")
        return _DECLINED
    return _usage(error) if hasattr(error, "format_message") else _internal(error)


def _tell(error: EdgefnError, *, as_json: bool) -> None:
    trace = trace_of(error)
    if as_json:
        members = {"exit_code": error.exit_code} | ({"trace": trace} if trace else {})
        output.say(json.dumps(error.as_problem() | members))
        return
    if trace:
        output.say(trace)
    output.say(f"error: {error}")


def trace_of(error: BaseException) -> str:
    """Return the traceback of the user's own code in `error`: a box sends it, the build notes it."""
    return str(getattr(error, "trace", "") or "\n".join(getattr(error, "__notes__", ()))).rstrip()


def _usage(error: Any) -> int:
    """Print the error of a command line that does not parse; return its exit code.

    typer carries its own click, so the class has no stable name.
    """
    context = getattr(error, "ctx", None)
    hint = f". See `{context.command_path} --help`" if context is not None else ""
    output.say(f"error: {error.format_message().rstrip('.')}{hint}")
    return int(error.exit_code)


def _internal(error: Exception) -> int:
    advice = "" if debugging() else f". Set {DEBUG}=1 to see the traceback, and please report this"
    output.say(f"error: internal error of edgefn: {type(error).__name__}: {error}{advice}")
    return 1
