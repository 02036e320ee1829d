"""Where in the user's own code an exception came from. Reads tracebacks; never raises, never hides one."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from edgefn.errors import CaptureError

_PACKAGE = Path(__file__).resolve().parents[2]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # torch colours its messages, terminal or not
MAX_FRAMES = 8
MAX_LINES = 6
MAX_LINE = 400
MAX_CODE = 120
"""Of what is shown: the author's frames, the lines of what an exception says (it may list weights), the letters of one,
and the letters of a line of code."""

_SITES = frozenset({"site-packages", "dist-packages"})
_INSTALLED = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def trace(error: BaseException) -> str:
    """Format the traceback of `error`: the author's frames, without those of libraries, and the message.

    Of a deep traceback, the first frame and the last ones are kept. A syntax error has no frame of its file: it is
    shown as file, line and caret.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_user(frame.filename)]
    kept = frames if len(frames) <= MAX_FRAMES else [frames[0], *frames[1 - MAX_FRAMES :]]
    said = "".join(traceback.format_exception_only(error)).rstrip().splitlines()
    lines = ["Traceback (most recent call last):"] if kept else []
    lines += [line for frame in kept for line in _shown(frame)]
    lines += [_cut(line) for line in said[:MAX_LINES]] + ["…"] * (len(said) > MAX_LINES)
    return _COLOUR.sub("", "\n".join(lines))


def _shown(frame: traceback.FrameSummary) -> list[str]:
    text = [f"    {frame.line}"] if frame.line else []
    return [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}', *text]


def author(error: BaseException) -> str:
    """Format the author's part of the traceback of the cause of `error`.

    Empty when `error` has no cause, or when its message contains that part already.
    """
    cause = error.__cause__
    return "" if cause is None or isinstance(error, CaptureError) else trace(cause)


def whole(error: BaseException) -> str:
    """Format the full traceback of `error` and its causes, for an internal fault of edgefn."""
    return "".join(traceback.format_exception(error)).rstrip()


def line(error: BaseException) -> str:
    """Return the user's last frame as 'File "net.py", line 7, in forward: x.item()'; empty without one."""
    return last(traceback.extract_tb(error.__traceback__))


def library(error: BaseException) -> str:
    """Return the last frame of another library than PyTorch, as `line` does; empty when there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_library(frame.filename)]
    return one_line(frames[-1]) if frames else ""


def is_library(filename: str) -> bool:
    """Tell whether a frame's file is of another library than PyTorch."""
    parts = Path(filename).parts
    sites = [place for place, part in enumerate(parts) if part in _SITES]
    return bool(sites) and parts[sites[-1] + 1] not in ("torch", "edgefn", "functorch")


def last(frames: Iterable[traceback.FrameSummary]) -> str:
    """Return the last user frame of `frames` in one line; empty when there is none."""
    users = [frame for frame in frames if is_user(frame.filename)]
    return one_line(users[-1]) if users else ""


def one_line(frame: traceback.FrameSummary) -> str:
    """Write a frame as `line` does."""
    return f'File "{frame.filename}", line {frame.lineno}, in {frame.name}: {_cut(frame.line or "", MAX_CODE)}'


def is_user(filename: str) -> bool:
    """Tell whether a frame's file is the user's.

    It is the user's unless it belongs to edgefn, the standard library or an installed distribution.
    """
    if filename.startswith("<"):
        return False
    path = Path(filename).resolve()
    if not _SITES.isdisjoint(path.parts):  # also of a venv that this one borrows its packages from
        return False
    return not any(path.is_relative_to(root) for root in (_PACKAGE, *_INSTALLED))


def is_own(filename: str) -> bool:
    """Tell whether a frame's file belongs to edgefn."""
    return not filename.startswith("<") and Path(filename).resolve().is_relative_to(_PACKAGE)


def first_line(error: BaseException) -> str:
    """Return the first line of the error's message."""
    return next((_cut(line.strip()) for line in _lines(error)), "no reason given")


def brief(error: BaseException) -> str:
    """Join the first three lines of the error's message to one line."""
    lines = list(islice((line.strip() for line in _lines(error)), 3))
    return _cut(" ".join(lines))


def _lines(error: BaseException) -> Iterator[str]:
    return (line for line in _COLOUR.sub("", str(error)).splitlines() if line.strip())


def _cut(line: str, most: int = MAX_LINE) -> str:
    return line if len(line) <= most else f"{line[: most - 1]}…"
