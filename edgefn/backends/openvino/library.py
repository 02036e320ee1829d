"""The import of openvino without its telemetry: an edge box reports its use to nobody."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

TELEMETRY = "openvino_telemetry"
CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """Import the openvino module, and return it. From then on its telemetry package cannot be imported.

    That turns the telemetry off in this process. The command-line converter is left out, which halves the import (230
    to 60 ms); nothing here calls it.
    """
    sys.modules.setdefault(TELEMETRY, None)  # type: ignore[arg-type]  # None makes an import raise ImportError
    if "openvino" not in sys.modules:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            sys.modules.pop(CONVERTER, None)
    import openvino

    return openvino


@cache
def core() -> Any:
    """Return the one Core of this process.

    A Core whose first model is compiled gives the thread a signal stack of its own, and frees it when it goes. With
    several, they go in another order than they came: the thread is left with the stack of one that is gone, and the
    next signal that has a handler ends the process (openvino 2026.4).
    """
    return import_openvino().Core()
