"""A network of the list as its user would have it: a function's folder in a project, built by the users' build."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.zoo import inputs
from benchmarks.zoo.network import Network
from edgefn.bundle.oci.layout import Bundle, Layout

Form = Literal["fixed", "free"]
SAMPLES, CALIBRATION = 12, 24
HERE = Path(__file__).parent
ROOT = HERE.parents[1]

FUNCTION = '''"""{name}, with random weights."""

from pathlib import Path
from typing import Annotated

import numpy as np

from edgefn import edge_function, edge_model, tensor

HERE = Path(__file__).parent


def made():
{source}


@edge_model(
    inputs={{{tensors}}},
    samples="samples/*.npz",
    calibration="calibration/*.npz",
)
def network():
    from settled import settled

    return settled(made(), sorted(HERE.glob("calibration/*.npz")))


@edge_function(memory="1GiB", timeout="60s")
def {function}({parameters}) -> list[float]:
    found = network.run({arguments})
    return [float(number) for number in next(iter(found.values())).ravel()[:5]]
'''


@dataclass(frozen=True)
class Outcome:
    """How a process of the build's ended: its exit code, its last event, what it wrote to stderr, its seconds."""

    exit_code: int
    event: Mapping[str, Any]
    stderr: str
    seconds: float


@dataclass(frozen=True)
class Project:
    """The project of `network` in the form `form`, in the folder `root`."""

    root: Path
    network: Network
    form: Form

    @property
    def folder(self) -> Path:
        """The function's."""
        return self.root / self.network.function

    @property
    def sizes(self) -> dict[str, int]:
        """The samples' sizes; a batch that is fixed is of one."""
        return {
            **self.network.sizes,
            **({"batch": 1} if self.form == "fixed" and "batch" in self.network.sizes else {}),
        }

    @property
    def bundle(self) -> Bundle:
        """The bundle that was built last. Raises BundleError when there is none."""
        return Layout(self.root / "layout").open(self.network.function)

    def write(self) -> None:
        """Write the function's module, its samples and what else it needs."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.root / "edgefn.toml").write_text('[project]\nname = "zoo"\n')
        (self.folder / f"{self.network.function}.py").write_text(self._module())
        shutil.copyfile(HERE / "settled.py", self.folder / "settled.py")
        if self.network.module:
            shutil.copyfile(HERE / "written" / f"{self.network.module}.py", self.folder / "architecture.py")
        for kind, first, count in (("samples", 0, SAMPLES), ("calibration", 1000, CALIBRATION)):
            (self.folder / kind).mkdir()
            for number in range(count):
                arrays: dict[str, Any] = inputs.draw(self.network, self.sizes, first + number)
                np.savez(self.folder / kind / f"{number:02}.npz", **arrays)

    def build(self, targets: Sequence[str], limit_s: float) -> Outcome:
        """Build it as `edgefn build` does; ended with all that it started when it takes longer than `limit_s`."""
        command = [sys.executable, "-m", "edgefn.compile", str(self.folder), "--output", str(self.root / "layout")]
        command += [word for target in targets for word in ("--target", target)]
        code, out, err, seconds = run([*command, "--timeout", f"{limit_s:.0f}s"], limit_s)
        lines = [line for line in out.splitlines() if line.startswith("{")]
        return Outcome(code, json.loads(lines[-1]) if lines else {}, err, seconds)

    def _module(self) -> str:
        shapes = {
            name: one.shape if self.form == "free" else self.network.shapes(self.sizes)[name]
            for name, one in self.network.inputs.items()
        }
        declared = {
            name: f"tensor({', '.join(json.dumps(part) for part in (one.dtype, *shapes[name]))})"
            for name, one in self.network.inputs.items()
        }
        return FUNCTION.format(
            name=self.network.name,
            source=textwrap.indent(textwrap.dedent(self.network.source).strip(), "    "),
            function=self.network.function,
            tensors=", ".join(f'"{name}": {spec}' for name, spec in declared.items()),
            parameters=", ".join(f"{name}: Annotated[np.ndarray, {spec}]" for name, spec in declared.items()),
            arguments=", ".join(f"{name}={name}" for name in declared),
        )


def run(command: Sequence[str], limit_s: float) -> tuple[int, str, str, float]:
    """(exit code, stdout, stderr, seconds) of a process; after `limit_s` it is ended, and the code is 124."""
    began = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        cwd=ROOT,
    ) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
            code = process.returncode
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            code = 124
    return code, out, err, time.monotonic() - began
