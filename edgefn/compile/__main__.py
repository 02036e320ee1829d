"""`python -m edgefn.compile FOLDER --output LAYOUT`: one build, told as NDJSON on stdout.

The last line is the event "built" or the event "error"; the exit code is the error's, or PartialBuild's where the
bundle lacks an artifact that was wanted. stderr has whatever the
user's code and the libraries say. Its own process, so that a build's memory, threads and crashes end with it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import msgspec

from edgefn.compile.author import blame
from edgefn.compile.build import BuildCommand, build
from edgefn.compile.events import Events, on_stdout
from edgefn.errors import EdgefnError, PartialBuild, SpecError
from edgefn.project import Project
from edgefn.text.quantities import parse_duration


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for; return the exit code."""
    options = _parser().parse_args(arguments)
    with on_stdout() as events:
        try:
            built = build(_order(options), events)
        except EdgefnError as error:
            return _failed(error, events)
        except KeyboardInterrupt:  # whoever pressed Ctrl-C knows; what was half done is cleared away
            return 130
        except Exception as error:  # a fault of edgefn's own: told in full
            events(
                "error",
                error=type(error).__name__,
                status=500,
                exit_code=1,
                detail=str(error),
                trace=blame.whole(error),
            )
            return 1
        events("built", **msgspec.to_builtins(built))
    return PartialBuild.exit_code if built.report.missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edgefn.compile", description="Builds a function's bundle.")
    parser.add_argument("folder", type=Path, help="the function's folder")
    parser.add_argument("--output", type=Path, help="OCI image layout to write to (default: edgefn.toml's)")
    parser.add_argument("--project", type=Path, help="edgefn.toml to go by (default: the nearest above FOLDER)")
    parser.add_argument(
        "--reuse-golden",
        action="store_true",
        help="keep the golden samples of an unchanged network although the handler or the samples changed",
    )
    parser.add_argument("--target", action="append", metavar="NAME", help="in place of edgefn.toml's targets; again")
    parser.add_argument("--timeout", help="of each compiler, e.g. 15min (default: edgefn.toml's)")
    parser.add_argument("--force", action="store_true", help="take nothing from the cache")
    return parser


def _order(options: argparse.Namespace) -> BuildCommand:
    project = Project.read(options.project) if options.project else Project.find(options.folder)
    return BuildCommand(
        folder=options.folder,
        output=options.output or project.output,
        cache=project.root / ".edgefn" / "cache",
        targets=tuple(options.target or project.build.targets),
        python=project.build.python,
        platform=project.build.platform,
        reuse_golden=options.reuse_golden,
        force=options.force,
        logs=project.root / ".edgefn" / "logs" / "build",
        profiles=project.profiles,
        packages=project.packages,
        limit_s=_limit_s(project.build.compile_timeout if options.timeout is None else options.timeout),
    )


def _limit_s(text: str) -> float:
    """Parse a compiler's time limit; return seconds. Raise SpecError when it is zero."""
    if not (limit_s := parse_duration(text, what="--timeout")):
        raise SpecError(f'--timeout is {text!r}, in which nothing compiles: write e.g. "15min"')
    return limit_s


def _failed(error: EdgefnError, events: Events) -> int:
    notes = "\n".join(getattr(error, "__notes__", ()))  # a compiler's process notes the trace of its own
    trace = notes if error.__cause__ is None else blame.author(error)
    events("error", **{"exit_code": error.exit_code, "trace": trace, **error.as_problem()})
    return error.exit_code


def _forget_tokens() -> None:
    """Take edgefn's own variables out of the environment.

    The code that runs in a build is the author's; it must not see this user's tokens.
    """
    for name in [name for name in os.environ if name.startswith("EDGEFN_")]:
        del os.environ[name]


if __name__ == "__main__":
    _forget_tokens()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # by which `edgefn build` ends us at Ctrl-C
    sys.exit(main())
