"""The unit's box of the emulated machine, and the command that talks to it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HOME = Path("/var/lib/edgefn")


def edgefn(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as root does, with `given` on its stdin."""
    environment = os.environ | {"EDGEFN_HOME": str(HOME), "NO_COLOR": "1"}
    return subprocess.run(
        ["/opt/edgefn/bin/edgefn", *words], check=False, capture_output=True, text=True, input=given, env=environment
    )
