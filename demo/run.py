"""`make demo`: a box, a real ImageNet classifier on it, a photo of a cat, and where the time of a request goes.

Every step is a command that a user types; this file only runs them in order, shows them, and takes the box down
again, also when a step fails or Ctrl-C is pressed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[1]
FUNCTION = Path("functions") / "classify_image"
PHOTO = FUNCTION / "samples" / "cat.jpg"
EDGEFN = str(Path(sys.executable).with_name("edgefn"))
START_S = 60.0
STOP_S = 40.0
WARM_CALLS = 20
LAST_LINES = 30
PHASES = ("queue", "start", "decode", "run", "encode")

console = Console(highlight=False)


class StepFailed(Exception):
    """A command of the demo failed; the message has its own words."""


def main() -> int:
    """Runs the demo; 0 when the photo was labelled."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.chdir(REPOSITORY)
    try:
        with tempfile.TemporaryDirectory(prefix="edgefn-demo-") as folder, running_box(Path(folder)) as environment:
            show(environment)
    except StepFailed as failure:
        console.print(f"\nthe demo failed: {failure}", markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped; the box is down")
        return 130
    console.print("\nThe box is down again. To go on by hand: .venv/bin/edgefn box run", style="bold")
    return 0


def show(environment: dict[str, str]) -> None:
    """Deploys, asks, and measures, on the box that `environment` names."""
    url = environment["EDGEFN_BOX"]

    step("build the bundle from PyTorch, and deploy it")
    run_shown([EDGEFN, "deploy", str(FUNCTION)], environment)

    step(f"ask it about {PHOTO}")
    command = [EDGEFN, "invoke", "classify_image", "--file", str(PHOTO)]
    told(command)
    labels = json.loads(run(command, environment))
    for label in labels:
        console.print(f"   {label['score']:6.1%}  {label['label']}", markup=False)

    step("the same call by curl")
    command = [
        "curl",
        "-sS",
        "--data-binary",
        f"@{PHOTO}",
        "-H",
        "content-type: image/jpeg",
        f"{url}/fn/classify_image",
    ]
    told(command)
    if shutil.which("curl"):
        again = json.loads(run(command, environment))
        console.print(f"   {'the same labels' if again == labels else again}")
    else:
        console.print("   (curl is not installed here)")

    step("where the time goes")
    console.print(timing_table(environment, url, PHOTO.read_bytes()))
    console.print(f"   cold: no process of it was there (edgefn stop); warm: the median of {WARM_CALLS}", style="dim")


# ── the box ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def running_box(folder: Path) -> Iterator[dict[str, str]]:
    """A box in the background, on a free port, with its home below `folder`; the environment that finds it."""
    step("start a box on a free port")
    home, log = folder / "box", folder / "box.log"
    command = [EDGEFN, "box", "run", "--home", str(home), "--port", "0", "--dev"]
    told([*command, "&"])
    with log.open("wb") as output:
        box = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    try:
        url = wait_for(box, home, log)
        console.print(f"   it listens on {url}")
        yield os.environ | {"EDGEFN_BOX": url, "EDGEFN_HOME": str(home)}
    except StepFailed:
        console.print(f"\nthe box's last words:\n{last_words(log)}", markup=False, style="dim")
        raise
    finally:
        take_down(box)


def wait_for(box: subprocess.Popen[bytes], home: Path, log: Path) -> str:
    """The URL of the box as soon as it is ready."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and box.poll() is None:
        try:
            url = str(json.loads((home / "run" / "box.json").read_bytes())["url"])
            if httpx.get(f"{url}/readyz").is_success:
                return url
        except (OSError, ValueError, httpx.TransportError):
            pass
        time.sleep(0.02)
    raise StepFailed("the box did not start")


def last_words(log: Path) -> str:
    """The end of what the box wrote."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])


def take_down(box: subprocess.Popen[bytes]) -> None:
    """The box has ended, by itself when it can."""
    box.terminate()
    try:
        box.wait(STOP_S)
    except subprocess.TimeoutExpired:
        box.kill()
        box.wait()


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def timing_table(environment: dict[str, str], url: str, body: bytes) -> Table:
    """Milliseconds by phase: the first call after `edgefn stop`, and the median of warm ones."""
    with httpx.Client(base_url=url, timeout=60, headers={"content-type": "image/jpeg"}) as client:
        run([EDGEFN, "stop", "classify_image"], environment)
        cold = call(client, body)
        warm = sorted((call(client, body) for _ in range(WARM_CALLS)), key=lambda phases: phases["in all"])
    median = warm[WARM_CALLS // 2]
    table = Table(box=None, pad_edge=False, padding=(0, 3))
    table.add_column("   ms")
    table.add_column("cold", justify="right")
    table.add_column("warm", justify="right", style="green")
    for phase in (*PHASES, "in all"):
        bold = "bold" if phase == "in all" else None
        table.add_row(f"   {phase}", f"{cold.get(phase, 0):.1f}", f"{median.get(phase, 0):.1f}", style=bold)
    return table


def call(client: httpx.Client, body: bytes) -> dict[str, float]:
    """Milliseconds by phase of one call, as its Server-Timing says; "in all" as the client saw it."""
    began = time.perf_counter()
    answer = client.post("/fn/classify_image", content=body)
    whole = (time.perf_counter() - began) * 1e3
    if not answer.is_success:
        raise StepFailed(f"classify_image answered {answer.status_code}: {answer.text}")
    phases = re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"])
    return {name: float(duration) for name, duration in phases} | {"in all": whole}


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def step(title: str) -> None:
    console.print(f"\n[bold cyan]●[/] [bold]{title}[/]")


def told(command: list[str]) -> None:
    """Shows a command as a user would type it."""
    words = ["edgefn" if word == EDGEFN else word for word in command]
    line = " ".join(word if word == "&" else shlex.quote(word) for word in words)
    console.print(f"   $ {line}", style="dim", markup=False, soft_wrap=True)


def run_shown(command: list[str], environment: dict[str, str]) -> None:
    """Runs a command whose own output is worth seeing."""
    told(command)
    done = subprocess.run(command, check=False, env=environment, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise StepFailed(f"{shlex.join(command)} left with {done.returncode}")


def run(command: list[str], environment: dict[str, str]) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise StepFailed(f"{shlex.join(command)} left with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
