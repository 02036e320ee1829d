"""Where in the user's own code an exception came from. Reads tracebacks; never raises, never hides one."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

_PACKAGE = Path(__file__).resolve().parents[1]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # torch colours its messages, terminal or not
_SITES = frozenset({"site-packages", "dist-packages"})
_INSTALLED = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def trace(error: BaseException) -> str:
    """The traceback of `error` from the user's first frame on; its last lines alone when no frame is the user's.

    So a syntax error, which has no frame of its file, is its file, line and caret.
    """
    frame: TracebackType | None = error.__traceback__
    while frame is not None and not is_user(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    lines = traceback.format_exception(type(error), error, frame, chain=False)
    return _COLOUR.sub("", "".join(lines)).rstrip()


def whole(error: BaseException) -> str:
    """The traceback of `error` and its causes, nothing left out: for a fault of edgefn's own."""
    return "".join(traceback.format_exception(error)).rstrip()


def line(error: BaseException) -> str:
    """The user's last frame as 'File "net.py", line 7, in forward: x.item()'; empty when none is theirs."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_user(frame.filename)]
    if not frames:
        return ""
    last = frames[-1]
    return f'File "{last.filename}", line {last.lineno}, in {last.name}: {last.line}'


def is_user(filename: str) -> bool:
    """Whether a frame's file is neither edgefn's, nor the standard library's, nor installed from elsewhere."""
    if filename.startswith("<"):
        return False
    path = Path(filename).resolve()
    if not _SITES.isdisjoint(path.parts):  # also of a venv that this one borrows its packages from
        return False
    return not any(path.is_relative_to(root) for root in (_PACKAGE, *_INSTALLED))


def is_own(filename: str) -> bool:
    """Whether a frame's file is edgefn's."""
    return not filename.startswith("<") and Path(filename).resolve().is_relative_to(_PACKAGE)


def first_line(error: BaseException) -> str:
    """The first line of what the error says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
