"""A revision loaded into this process: its handler imported, its models bound to finished artifacts."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from edgefn import backends
from edgefn.backends.backend import Session
from edgefn.function import EdgeFunction
from edgefn.model import EdgeModel, models_of
from edgefn_runtime.process import birth
from edgefn_runtime.process.batcher import Crowd
from edgefn_runtime.wire.messages import Failed, Program, Ready, ServedModel


class LoadError(Exception):
    """The program does not load; `report` says why, with the user's part of the trace."""

    def __init__(self, reason: str, trace: str) -> None:
        super().__init__(reason)
        self.report = Failed(reason, trace)


class Loaded(NamedTuple):
    """A revision in this process: its function, and the crowd of calls in which its models run several as one."""

    function: EdgeFunction[..., object]
    ready: Ready
    crowd: Crowd


def load(program: Program) -> Loaded:
    """`program`'s handler is imported and its models are ready to run. Raises LoadError."""
    started = time.perf_counter()
    crowd = Crowd()
    try:
        function, models = _import(program)
        imported = time.perf_counter()
        for served in program.models:
            models[served.artifact.model].bind(_session(served, crowd))
    except BaseException as error:  # a module may even call sys.exit()
        raise LoadError(_reason(error), user_trace(error, program.code)) from error
    loaded = time.perf_counter()
    return Loaded(function, Ready(imported - started, loaded - imported, birth.thread_count()), crowd)


def _session(served: ServedModel, crowd: Crowd) -> Session:
    """The model's session, behind a batcher where it has `batch`."""
    backend = backends.get(served.artifact.backend)
    session = backend.load(Path(served.folder), batched=served.batching is not None)
    if served.batching is None:
        return session
    return crowd.gather(served.artifact.model, session, served.batching)


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
