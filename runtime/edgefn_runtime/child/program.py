"""A revision loaded into this process: its handler imported, its models bound to finished artifacts."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgefn import backends
from edgefn.backends.backend import Backend
from edgefn.function import EdgeFunction
from edgefn.model import EdgeModel, models_of
from edgefn.session import Session
from edgefn.text.bounded import MAX_REASON, fit
from edgefn_runtime.child.batcher import InFlightCalls
from edgefn_runtime.child.fork import process
from edgefn_runtime.wire.messages import Binding, Failed, Program, Ready, ServedModel, WrongAnswer


class LoadError(Exception):
    """The program does not load; `report` holds the reason, with the user's part of the trace."""

    def __init__(self, reason: str, trace: str, artifact: str = "") -> None:
        super().__init__(reason)
        self.report = Failed(fit(reason, MAX_REASON), fit(trace), artifact)


class Loaded(NamedTuple):
    """A revision in this process: its function, its models, and the calls in flight that they may run together.

    `wrong` collects the reports for the box of artifacts whose answer has another shape than the network's.
    """

    function: EdgeFunction[..., object]
    models: dict[str, EdgeModel]
    crowd: InFlightCalls
    ready: Ready
    wrong: list[WrongAnswer]


def load(program: Program) -> Loaded:
    """Import the handler of `program`; its models have no sessions yet. Raises LoadError."""
    started = time.perf_counter()
    with _telling(program):
        function, models = _import(program)
    return Loaded(
        function, models, InFlightCalls(), Ready(time.perf_counter() - started, 0.0, process.thread_count()), []
    )


def outlives_forks(program: Program) -> bool:
    """Tell whether sessions made before a fork run after it.

    The engines declare that, and for one thread only. Raises LoadError.
    """
    if program.threads > 1:
        return False
    return all(engine.fork_safe for engine in _engines(program))


def warm_up(program: Program) -> None:
    """Import the engines of `program`, so that each fork only has to make its sessions. Raises LoadError."""
    for served in program.models:
        with _telling(program, served.artifact.path):
            backends.get(served.artifact.backend).warm_up()


def bind(program: Program, loaded: Loaded, tell: Callable[[Binding], None] = lambda binding: None) -> Loaded:
    """Make the models of `loaded` ready to run in this process.

    Before it loads an artifact that is not portable, it calls `tell`: the engine may end the process. Threads that an
    engine starts are not counted among those that forbid a fork: `outlives_forks` asks the engine. Those of the handler
    are. Raises LoadError, naming the artifact.
    """
    started = time.perf_counter()
    for served in program.models:
        if not served.artifact.target.startswith("portable/"):
            tell(Binding(served.artifact.path))
        with _telling(program, served.artifact.path):
            session = _session(served, program.threads, loaded.crowd)
            loaded.models[served.artifact.model].bind(session, served.spec, _teller(served, loaded.wrong))
    session_s = time.perf_counter() - started
    return loaded._replace(ready=msgspec.structs.replace(loaded.ready, session_s=session_s))


def _teller(served: ServedModel, wrong: list[WrongAnswer]) -> Callable[[str], None]:
    """Make the callback by which the model of `served` reports a wrong answer of its artifact."""

    def tell(reason: str) -> None:
        path = served.artifact.path
        if all(told.artifact != path for told in wrong):  # a handler may run its model a thousand times
            wrong.append(WrongAnswer(path, fit(reason, MAX_REASON)))

    return tell


@contextmanager
def _telling(program: Program, artifact: str = "") -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # a module may even call sys.exit()
        raise LoadError(_reason(error), user_trace(error, program.code), artifact) from error


def _engines(program: Program) -> Iterator[Backend]:
    for served in program.models:
        with _telling(program, served.artifact.path):
            backend = backends.get(served.artifact.backend)
        yield backend


def _session(served: ServedModel, threads: int, crowd: InFlightCalls) -> Session:
    """Load the model's session, and put it behind a batcher where the model has `batch`."""
    backend = backends.get(served.artifact.backend)
    session = backend.load(Path(served.folder), threads=threads, batched=served.batching is not None)
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
    if function.is_async or program.concurrency > 1:
        importlib.import_module("edgefn_runtime.child.together")  # here, so that forks share it
    return function, models_of(module)


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "MemoryError: the function needs more memory than the box has for functions"
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:  # its class does not let itself be shown
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def user_trace(error: BaseException, code: str) -> str:
    """Return the traceback from the first frame in the user's folder on; all of it if there is none."""
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(code):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame or error.__traceback__))
