"""A session that is made before a fork and runs after it, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_across_a_fork(name: str, portable: Path) -> None:
    """Raises unless a session of the artifact, made and run before a fork, runs in two children, and has one thread."""
    code = f"""
import os, sys
import numpy as np
from pathlib import Path
from edgefn import backends
from tests.edgefn.backends.torch_networks import arrays
backend = backends.get({name!r})
backend.warm_up()
session = backend.load(Path({str(portable)!r}))
before = session.run(arrays(3))
threads = len(os.listdir("/proc/self/task"))
assert threads == 1, f"{{threads}} threads"
for batch in (3, 5):
    child = os.fork()
    if child == 0:
        after = session.run(arrays(batch))
        same = batch != 3 or all(np.array_equal(after[name], before[name]) for name in before)
        os._exit(not same or len(os.listdir("/proc/self/task")) != 1)
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"the child of batch {{batch}} left with {{code}}")
"""
    # NumPy's OpenBLAS makes a thread for each core unless it is told not to: the zygote's environment has this too.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100, env=environment)
