"""The process of the `edgefn` command: arguments in, exit code out; no traceback unless one is asked for.

Owns signals and the end of the process. It must never know a verb.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

_CLI_EXTRA = {"typer", "rich", "httpx", "watchfiles"}
INTERRUPTED = 130


def main() -> None:
    """Run `sys.argv` and exit with the documented code.

    A broken pipe (`edgefn list | head -1`) is silent.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) has it
            signal.signal(number, _leave)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _after_broken_pipe()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; all output for the user is written."""
    try:
        return _run(list(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if not _of_cli_extra(error):
            raise
        from edgefn import extras

        print(f"error: the edgefn command needs {error.name}: {extras.command('cli')}", file=sys.stderr)
        return 1


def _run(arguments: list[str]) -> int:
    from edgefn_cli.app import command
    from edgefn_cli.display import failures

    try:
        return int(command.main(arguments, prog_name="edgefn", standalone_mode=False) or 0)
    except BrokenPipeError:
        return _after_broken_pipe()
    except Exception as error:
        if _of_cli_extra(error):
            raise
        return failures.report(error)


def _of_cli_extra(error: Exception) -> bool:
    return isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in _CLI_EXTRA


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind the stack on SIGTERM or SIGHUP, so that children (a build, a local box) end with us."""
    raise SystemExit(128 + number)


def _after_broken_pipe() -> int:
    """Replace stdout with /dev/null, so that the interpreter's last flush does not fail; return 0.

    The other end of the pipe reads no more.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    main()
