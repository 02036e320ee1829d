"""The engine that a quantised file is made for: how a session of it is opened, and what it can do with eight bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgefn.backends.onnxruntime import settings
from edgefn.backends.onnxruntime.session import DISABLED, PROVIDER, OnnxSession, import_onnxruntime, session_options
from edgefn.compile.quantize import gate

if TYPE_CHECKING:
    import onnx

    from edgefn.session import Session


class Engine(NamedTuple):
    """The engine that will run a file.

    opened    opens a session of a file, with the entries of an artifact's settings
    integers  counts the operators of the file at a path that it runs in eight bits with those entries, by type
    exact     entries with which products of eight bits do not saturate; None where there are none
    dynamic   whether it multiplies in eight bits where ranges are taken in each run
    """

    opened: Callable[[onnx.ModelProto, Mapping[str, str]], Session]
    integers: Callable[[Path, Mapping[str, str]], dict[str, int]]
    exact: Mapping[str, str] | None
    dynamic: bool


def opened(model: onnx.ModelProto, entries: Mapping[str, str]) -> OnnxSession:
    """Open an ONNX Runtime session of `model`, which is optimised now."""
    session = import_onnxruntime().InferenceSession(
        model.SerializeToString(),
        session_options(dict(entries)),
        providers=[PROVIDER],
        disabled_optimizers=DISABLED,
    )
    return OnnxSession(session)


ONNX_RUNTIME = Engine(opened, gate.in_engine, settings.EXACT_PRODUCTS, dynamic=True)
