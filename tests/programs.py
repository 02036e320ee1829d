"""Modules of the tests as programs of their own, beside the edgefn that is tested: where there is one, the wheel."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(module: str, *arguments: str) -> list[str]:
    """Return what runs `module` as a program. The tests are last on its path, behind what is installed."""
    code = f"import runpy, sys; sys.path.append({str(ROOT)!r}); runpy.run_module({module!r}, run_name='__main__')"
    return [sys.executable, "-c", code, *arguments]
