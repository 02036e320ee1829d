"""Requests a second with `batch=8` over without, eight at a time: `python -m benchmarks.batching`. Needs wrk and torch.

Two functions that differ in that option alone, one instance each, in turns. A perceptron gains, as reading its weights
is the work; a small convolutional network does not, and switches batching off.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.__main__ import table
from benchmarks.figure import Figure, spread
from edgefn.api.functions import BatchingFigures
from edgefn.bundle.oci.layout import Bundle, Layout
from tests.e2e.box import RunningBox
from tests.e2e.bundles import build
from tests.e2e.deadline import eventually

CALLERS = 8
ROUNDS = 5
SECONDS = 3
WARM_S = 60.0

SOURCE = """
import numpy as np
from edgefn import edge_function, edge_model, tensor

SHAPE = {shape}

def samples():
    for seed in range(3):
        yield {{"x": np.random.default_rng(seed).random((1, *SHAPE), np.float32)}}

@edge_model(inputs={{"x": tensor("float32", "batch", *SHAPE)}}, samples=samples{batch})
def network():
    import torch
    torch.manual_seed(0)
    return {network}

@edge_function(concurrency=8, scale=(1, 1), memory="1GiB", timeout="30s")
def {name}(n: int) -> int:
    return int(network(x=np.full((1, *SHAPE), n % 7, np.float32)).argmax())
"""

LAYER = "torch.nn.Linear(2048, {width}), torch.nn.ReLU()"
PERCEPTRON = f"torch.nn.Sequential({LAYER.format(width=2048)}, {LAYER.format(width=1024)})"
CONVOLUTIONS = (
    "torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(32, 64, 3, 2, 1), "
    "torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())"
)
SUBJECTS = {"perceptron": ("(2048,)", PERCEPTRON), "convolutions": ("(3, 160, 160)", CONVOLUTIONS)}


def measure() -> Iterator[Figure]:
    """For each network: the ratio of the rates, and what the batcher found by itself."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("no batching: install wrk (apt-get install wrk)", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder, RunningBox(Path(folder) / "box") as box:
        script = Path(folder) / "call.lua"
        script.write_text(
            'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = \'{"n": 3}\'\n'
        )
        for name in SUBJECTS:
            yield from beside(wrk, script, box, Path(folder), name)


def beside(wrk: str, script: Path, box: RunningBox, folder: Path, name: str) -> Iterator[Figure]:
    """`name` with batch over `name` without, in rounds that take turns, once the batcher has decided."""
    with_batch, without = f"{name}_batched", f"{name}_single"
    for function, batch in ((with_batch, ", batch=8"), (without, "")):
        box.deploy(bundle(folder, function, name, batch))
    eventually("batching is measured", lambda: decided(wrk, script, box, with_batch), seconds=WARM_S)
    rate(wrk, script, box, without)
    pairs = [(rate(wrk, script, box, with_batch), rate(wrk, script, box, without)) for _ in range(ROUNDS)]
    ratios = [batched / single for batched, single in pairs]
    rates = f"{statistics.median(a for a, _ in pairs):,.0f}/s over {statistics.median(b for _, b in pairs):,.0f}/s"
    how = f"{rates}; wrk, {CALLERS} connections, {ROUNDS} rounds of {SECONDS} s in turns ({spread(ratios)})"
    yield Figure(f"{name}, batch=8, rate / without", statistics.median(ratios), "x", how, better="more")
    found = decided(wrk, script, box, with_batch)
    assert found is not None
    told = f"as the box measured; batching is {'on' if found.on else 'off'}, {found.mean_rows} rows a run"
    yield Figure(f"{name}, gain", found.gain or 0.0, "x", told, better="more")


def bundle(folder: Path, function: str, name: str, batch: str) -> Bundle:
    shape, network = SUBJECTS[name]
    source = folder / function
    source.mkdir()
    text = SOURCE.format(name=function, shape=shape, network=network, batch=batch)
    (source / f"{function}.py").write_text(text)
    layout = Layout(folder / "layout")
    return layout.open(build(source, layout.path))


def decided(wrk: str, script: Path, box: RunningBox, function: str) -> BatchingFigures | None:
    """What the batcher has found; None as long as it has not."""
    rate(wrk, script, box, function)
    (found,) = box.status(function).batching
    return None if found.on is None else found


def rate(wrk: str, script: Path, box: RunningBox, function: str) -> float:
    """Requests a second; raises when any answer was not a success."""
    command = [wrk, "-t1", f"-c{CALLERS}", f"-d{SECONDS}s", "-s", str(script), f"{box.url}/fn/{function}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"wrk saw failures:\n{told}")
    (line,) = [line for line in told.splitlines() if "Requests/sec" in line]
    return float(line.split()[1])


if __name__ == "__main__":
    Console().print(table({"batching": list(measure())}))
