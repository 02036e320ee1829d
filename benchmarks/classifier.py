"""The box that the figures are taken on: `classify_image` and `echo` deployed, and a photo to send."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.road.box import RunningBox
from tests.road.bundles import EXAMPLES, Bundles

NAME = "classify_image"
FOLDER = EXAMPLES / NAME


@dataclass(frozen=True)
class Photo:
    """A photo and its media type."""

    body: bytes
    kind: str


def photo() -> Photo:
    """The cat that comes with classify_image."""
    return Photo((FOLDER / "samples" / "cat.jpg").read_bytes(), "image/jpeg")


@contextmanager
def running() -> Iterator[RunningBox]:
    """A box with `classify_image` and `echo` on it, nobody using it."""
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder:
        bundles = Bundles(Path(folder))
        with RunningBox(Path(folder) / "box") as box:
            for name in (NAME, "echo"):
                box.deploy(bundles.of(name))
            yield box


def call(box: RunningBox, picture: Photo) -> float:
    """Seconds that one classification took, as its client saw it. Raises when it is not answered."""
    began = time.perf_counter()
    answer = box.send(NAME, picture.body, picture.kind)
    took = time.perf_counter() - began
    answer.raise_for_status()
    return took


def build_from_nothing() -> float:
    """Seconds that a build of classify_image takes when nothing is cached, the interpreter's start included."""
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder:
        command = [sys.executable, "-m", "edgefn.compile", str(FOLDER), "--output", f"{folder}/layout", "--force"]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began
