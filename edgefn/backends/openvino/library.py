"""The import of openvino without its telemetry: an edge box tells nobody that it was there."""

from __future__ import annotations

import sys
from typing import Any

TELEMETRY = "openvino_telemetry"
CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """The openvino module. Its telemetry package cannot be imported any more in this process, which turns it off.

    Its command-line converter is left out, which halves the import (230 to 60 ms) and which nothing here calls.
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
