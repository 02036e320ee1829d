"""Python code in a process as the box's are: what ends it ends no test."""

from __future__ import annotations

import os
import subprocess
import sys

LIMIT_S = 300.0


def run_python(code: str, *arguments: str) -> str:
    """Run `code` with `arguments` as its sys.argv[1:]; return what it prints.

    Raise AssertionError, with the end of that, where it fails, dies or takes longer than LIMIT_S.
    """
    # NumPy's OpenBLAS makes a thread for each core unless it is told not to: the zygote's environment has this too.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"a process did not end within {LIMIT_S:.0f} s") from None
    printed = done.stdout + done.stderr
    if done.returncode:
        raise AssertionError(f"a process ended with {done.returncode}: {printed[-2000:]}")
    return printed
