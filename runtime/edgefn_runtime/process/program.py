"""A revision loaded into this process: its handler imported, its models bound to finished artifacts."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from pathlib import Path

from edgefn import backends
from edgefn.function import EdgeFunction
from edgefn.model import EdgeModel, models_of
from edgefn_runtime.process import birth
from edgefn_runtime.wire.messages import Failed, Program, Ready


class LoadError(Exception):
    """The program does not load; `report` says why, with the user's part of the trace."""

    def __init__(self, reason: str, trace: str) -> None:
        super().__init__(reason)
        self.report = Failed(reason, trace)


def load(program: Program) -> tuple[EdgeFunction[..., object], Ready]:
    """The function of `program`, its models ready to run, and how long that took. Raises LoadError."""
    started = time.perf_counter()
    try:
        function, models = _import(program)
        imported = time.perf_counter()
        for served in program.models:
            backend = backends.get(served.artifact.backend)
            models[served.artifact.model].bind(backend.load(Path(served.folder)))
    except BaseException as error:  # a module may even call sys.exit()
        raise LoadError(_reason(error), user_trace(error, program.code)) from error
    loaded = time.perf_counter()
    return function, Ready(imported - started, loaded - imported, birth.thread_count())


def _import(program: Program) -> tuple[EdgeFunction[..., object], dict[str, EdgeModel]]:
    sys.path[:0] = [path for path in (program.code, program.wheels) if path]
    os.chdir(program.code)
    module_name, _, attribute = program.entry.partition(":")
    module = importlib.import_module(module_name)
    function = getattr(module, attribute)
    if not isinstance(function, EdgeFunction):
        raise TypeError(f"{program.entry} is a {type(function).__name__}, not an @edge_function")
    return function, models_of(module)


def _reason(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def user_trace(error: BaseException, code: str) -> str:
    """The traceback from the first frame of the user's own folder on; whole where it never got there."""
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(code):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame or error.__traceback__))
