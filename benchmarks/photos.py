"""The real classifier under load: two instances of it beside the bare app's best setting, and the same answers."""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import PIL.Image
import skimage

from benchmarks import bare, beside, stage, wrk
from benchmarks.bare import SETTINGS, Bare, Setting
from benchmarks.beside import Bounds
from benchmarks.figure import Figure
from benchmarks.stage import CLASSIFIER, PHOTO, SAMPLES, Body
from tests.e2e.box import RunningBox

INSTANCES = 2
TRIALS, TRIAL_S = 3, 2
ROUTE = f"/{CLASSIFIER}"


class WrongAnswer(Exception):
    """The box and the bare app do not see the same in a photo: no figure of speed is worth anything then."""


def measure() -> Iterator[Figure]:
    """The same top-1 on all samples; then rate and p99 over those of the bare app's best setting."""
    if why := wrk.missing():
        print(f"no photos: {why}", file=sys.stderr)
        return
    with stage.running(stage.scaled(CLASSIFIER, INSTANCES, INSTANCES)) as box:
        model = bare.model_of(box)
        rates = trial(model)
        best = max(rates, key=lambda setting: rates[setting])
        with bare.running(model, best) as app:
            yield agreement(box, app)
            bounds = Bounds(rate=1.3, p99=1.0)
            yield from beside.measure(box, app, CLASSIFIER, PHOTO, bounds, f"{CLASSIFIER}, 0.3 MP")
            yield from beside.measure(box, app, CLASSIFIER, two_megapixels(), bounds, f"{CLASSIFIER}, 2 MP")
            if (there := len(box.status(CLASSIFIER).instances)) != INSTANCES:
                raise RuntimeError(f"{there} instances served, not {INSTANCES}")
    yield from trials(rates)


def two_megapixels() -> Body:
    """scikit-image's retina, 1411x1411, as a camera would send it: JPEG of quality 75, some 117 kB.

    PHOTO has 640x427 pixels in as many bytes: too few for `Image` to decode it at a reduced size.
    """
    file = io.BytesIO()
    with PIL.Image.open(Path(skimage.__file__).parent / "data" / "retina.jpg") as picture:
        picture.convert("RGB").save(file, "JPEG", quality=75)
    return Body(file.getvalue(), "image/jpeg")


def trial(model: Path) -> dict[Setting, float]:
    """Photos a second of the bare app in each setting: medians of short loads that take turns, all of them running."""
    with ExitStack() as stack:
        lua = wrk.script(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgefn-bench-"))), PHOTO)
        apps = [stack.enter_context(bare.running(model, setting)) for setting in SETTINGS]
        addresses = [(f"{app.url}{ROUTE}", app.pid) for app in apps]
        for url, pid in addresses:
            wrk.load(url, pid, lua, 1)  # warm
        rounds = [[wrk.load(url, pid, lua, TRIAL_S).rate for url, pid in addresses] for _ in range(TRIALS)]
    return {one: statistics.median(rates) for one, rates in zip(SETTINGS, zip(*rounds, strict=True), strict=True)}


def trials(rates: dict[Setting, float]) -> Iterator[Figure]:
    """What each setting of the bare app came to: how its best was found."""
    for setting, rate in sorted(rates.items(), key=lambda one: -one[1]):
        how = f"median of {TRIALS} loads of {TRIAL_S} s in turns, before"
        yield Figure(f"bare: {setting}", rate, "/s", how, better="more")


def agreement(box: RunningBox, app: Bare) -> Figure:
    """How many samples both see the same in; raises WrongAnswer unless all."""
    photos = {path.name: Body(path.read_bytes(), "image/jpeg") for path in sorted(SAMPLES.glob("*.jpg"))}
    photos["retina"] = two_megapixels()
    for name, body in photos.items():
        answers = stage.caller(box, CLASSIFIER, body).answer(), stage.Caller(f"{app.url}{ROUTE}", body).answer()
        ours, theirs = (json.loads(answer)[0]["label"] for answer in answers)
        if ours != theirs:
            raise WrongAnswer(f"{name}: the box sees {ours!r}, the bare app {theirs!r}")
    how = "Image, decoded as small as will do, against Pillow at full size"
    return Figure("same top-1 as the bare app", len(photos), "photos", how, len(photos), "more")
