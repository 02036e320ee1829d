"""Faults that were planted, each of which a tool of the field has let through, and what must not be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefn.accuracy.answers.limits import BF16, FP16, FP32, INT8, AnswerLimits
from edgefn.accuracy.answers.matching import match
from edgefn.accuracy.answers.spread import spreads
from edgefn.accuracy.answers.values import plain
from edgefn.accuracy.options import Accuracy
from tests.edgefn.accuracy.networks import (
    Arrays,
    Run,
    Subject,
    changed,
    detector,
    finder,
    lister,
    regressor,
    suppressed,
    tagger,
)

Change = Callable[[NDArray[Any]], NDArray[Any]]
MASKED = -1e8


def grid(step: float) -> Change:
    """Round to steps of a quantiser."""
    return lambda y: np.round(y / step) * step


def on(part: slice, change: Change) -> Change:
    """Change the indices `part` of the last axis alone."""

    def changing(y: NDArray[Any]) -> NDArray[Any]:
        y[..., part] = change(y[..., part])
        return y

    return changing


BOXES, SCORES = slice(0, 4), slice(4, 6)
DETECTOR = detector()
REGRESSOR = regressor()
TAGGER = tagger()
FINDER = finder()
LISTER = lister()
INFINITE = Subject(
    changed(TAGGER.run, lambda y: np.where(y < MASKED, -np.inf, y)), TAGGER.outputs, TAGGER.samples, TAGGER.sizes
)


def fixed_boxes(run: Run) -> Run:
    """Return a detector whose boxes are those of the first sample's size, whatever is in the picture."""
    return changed(run, on(BOXES, lambda y: np.broadcast_to(np.round(y.mean((0, 2), keepdims=True) * 0 + 99), y.shape)))


def unlike_mask(y: NDArray[Any]) -> NDArray[Any]:
    y[0, 0, 0] = -1e9
    return y


def lost_mask(y: NDArray[Any]) -> NDArray[Any]:
    where = np.argwhere(y < MASKED)
    if len(where):
        y[tuple(where[0])] = 1.0
    return y


def with_nan(y: NDArray[Any]) -> NDArray[Any]:
    y[y < MASKED] = np.nan
    return y


def swapped(y: NDArray[Any]) -> NDArray[Any]:
    return y[..., [0, 2, 1, 3, 4]]


def mixed_up(run: Run) -> Run:
    """Return a detector that reshapes instead of transposing."""
    return changed(run, lambda y: y.transpose(0, 2, 1).reshape(y.shape))


def dead_channel(y: NDArray[Any]) -> NDArray[Any]:
    y[..., 3] = y[..., 3].mean() * 0 + 1
    return y


def first_row_repeated(run: Run) -> Run:
    """Return a network that answers all rows of a batch with the first one's answer."""
    return lambda inputs: {"y": np.repeat(run(inputs)["y"][:1], len(next(iter(inputs.values()))), 0)}


def baked_positions(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Answer as if each text went on from its 13th word with the first one's positions."""
    tokens = inputs["tokens"]
    parts = [TAGGER.run({"tokens": tokens[:, at : at + 12]})["y"] for at in range(0, tokens.shape[1], 12)]
    return {"y": np.concatenate(parts, 1)}


def height_for_width(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Answer a map as if it were square: the columns beyond the height repeat the first."""
    x = inputs["x"]
    cut = np.take(x, np.arange(x.shape[-1]) % x.shape[-2], axis=-1)
    return REGRESSOR.run({"x": cut})


def specialised(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Subtract the mean over the batch, which eager does not, where there are several rows."""
    y = REGRESSOR.run(inputs)["y"]
    return {"y": y if len(y) < 2 else y - y.mean(0, keepdims=True) + 295}


class Stale:
    """A network whose engine keeps a buffer of the first size that it ran after another one."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shapes: list[tuple[int, ...]] = []
        self._kept: dict[tuple[int, ...], NDArray[Any]] = {}

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        shape = next(iter(inputs.values())).shape
        y = self._run(inputs)["y"]
        moved = bool(self._shapes) and self._shapes[-1] != shape
        self._shapes.append(shape)
        kept = self._kept.setdefault(shape, y)
        return {"y": kept if moved else y}


def half_pixel(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Shift the map by half a pixel, as another rule of resizing does."""
    x = inputs["x"]
    return REGRESSOR.run({"x": (x + np.roll(x, 1, -1)) / 2})


def overflowing(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Clip as float16 does where a picture is bright."""
    y = DETECTOR.run(inputs)["y"]
    if inputs["x"].mean() > np.quantile([one["x"].mean() for one in DETECTOR.samples], 0.9):
        y[..., BOXES] = np.minimum(y[..., BOXES], 300)
    return {"y": y}


def older(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Answer a map as a checkpoint of some steps before would: weights that are off by a twentieth."""
    x = inputs["x"].astype(np.float64)
    smooth = 0.35 * x + 0.315 * np.roll(x, 1, -1) + 0.335 * np.roll(x, 1, -2)
    return {"y": (295 + 3 * np.tanh(smooth)).astype(np.float32)}


def older_head(y: NDArray[Any]) -> NDArray[Any]:
    """Give scores as a head of other weights does."""
    return np.asarray(1 / (1 + np.exp(0.4 - 0.8 * np.log(y / (1 - y)))))


def blind(y: NDArray[Any]) -> NDArray[Any]:
    """Return noise around the mean, the same for the same answer."""
    return 295 + 0.1 * np.sin(1e4 * y)


def dropout(inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Drop a tenth of the answer, another one in each run."""
    y = REGRESSOR.run(inputs)["y"]
    keep = np.random.default_rng(abs(hash(inputs["x"].tobytes()))).random(y.shape) > 0.1
    return {"y": (295 + (y - 295) * keep / 0.9).astype(np.float32)}


FAULTS: dict[str, tuple[Subject, Run, str]] = {
    "1 one int8 step for boxes and scores": (DETECTOR, changed(DETECTOR.run, grid(2.5)), "int8"),
    "2 scores set to 0": (DETECTOR, changed(DETECTOR.run, on(SCORES, np.zeros_like)), "fp32"),
    "3 scores halved": (DETECTOR, changed(DETECTOR.run, on(SCORES, lambda y: y / 2)), "int8"),
    "4 scores clipped": (DETECTOR, changed(DETECTOR.run, on(SCORES, lambda y: np.minimum(y, 0.5))), "int8"),
    "5 boxes ignore the picture": (DETECTOR, fixed_boxes(DETECTOR.run), "int8"),
    "6 regressor answers its mean": (REGRESSOR, changed(REGRESSOR.run, lambda y: np.full_like(y, 295)), "int8"),
    "6 regressor answers noise": (REGRESSOR, changed(REGRESSOR.run, blind), "bf16"),
    "6 regressor moves by half": (REGRESSOR, changed(REGRESSOR.run, lambda y: (y + 295) / 2), "bf16"),
    "7 regressor in int8 over 0..310": (REGRESSOR, changed(REGRESSOR.run, grid(310 / 255)), "int8"),
    "8 bias of half a kelvin": (REGRESSOR, changed(REGRESSOR.run, lambda y: y + np.float32(0.5)), "int8"),
    "9 wrong scores beside a mask": (TAGGER, changed(TAGGER.run, lambda y: np.where(y < MASKED, y, -y)), "fp32"),
    "10 mask lost at a position": (TAGGER, changed(TAGGER.run, lost_mask), "fp32"),
    "10 mask at another position": (TAGGER, changed(TAGGER.run, unlike_mask), "fp32"),
    "11 NaN where all is masked": (TAGGER, changed(TAGGER.run, with_nan), "fp32"),
    "12 two classes swapped": (TAGGER, changed(TAGGER.run, swapped), "int8"),
    "13 reshaped instead of transposed": (DETECTOR, mixed_up(DETECTOR.run), "int8"),
    "14 a dead channel": (TAGGER, changed(TAGGER.run, dead_channel), "int8"),
    "15 the first row for all": (REGRESSOR, first_row_repeated(REGRESSOR.run), "int8"),
    "16 a table of positions baked": (TAGGER, baked_positions, "fp32"),
    "17 height used for width": (REGRESSOR, height_for_width, "fp32"),
    "18 a size of 1 specialised": (REGRESSOR, specialised, "fp32"),
    "19 an engine stale after another size": (REGRESSOR, Stale(REGRESSOR.run), "fp32"),
    "20 another rule of resizing": (REGRESSOR, half_pixel, "int8"),
    "21 a wrong fusion": (REGRESSOR, changed(REGRESSOR.run, lambda y: 295 + (y - 295) * np.float32(0.97)), "fp32"),
    "22 dropout left on": (REGRESSOR, dropout, "int8"),
    "23 fewer boxes are kept": (FINDER, suppressed(DETECTOR.run, most=9), "int8"),
    "23 boxes may overlap less": (FINDER, suppressed(DETECTOR.run, overlap=0.4), "int8"),
    "23 boxes may overlap more": (FINDER, suppressed(DETECTOR.run, overlap=0.6), "fp32"),
    "24 overflow for bright pictures": (DETECTOR, overflowing, "fp16"),
    "25 older weights": (REGRESSOR, older, "fp32"),
    "25 older weights of a head": (DETECTOR, changed(DETECTOR.run, on(SCORES, older_head)), "int8"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_refused(name: str) -> None:
    """Each is wrong by a reason that a person can read; the largest error of the tensor would let most of them pass."""
    subject, artifact, precision = FAULTS[name]
    found = subject.judge(artifact, precision)
    assert found.verdict == "wrong", found
    assert found.reason
    assert len(found.reason) < 600


@pytest.mark.parametrize("suppression", [{"most": 9}, {"overlap": 0.4}, {"overlap": 0.6}], ids=str)
@pytest.mark.parametrize("limits", [FP32, FP16, BF16, INT8])
def test_another_suppression_is_seen_in_the_handlers_answers(suppression: dict[str, Any], limits: AnswerLimits) -> None:
    """23: eager's boxes are a set, of which the artifact's handler finds another one; the same set is right."""
    eager, other = [boxes(suppressed(DETECTOR.run)), boxes(suppressed(DETECTOR.run, **suppression))]
    known = spreads(map(plain, eager))
    assert not any(match(plain(one), plain(one), limits, known) for one in eager)
    reasons = [match(plain(one), plain(found), limits, known) for one, found in zip(eager, other, strict=True)]
    assert any("boxes" in reason for reason in reasons)
    assert sum(bool(reason) for reason in reasons) > len(reasons) / 2


def boxes(run: Run) -> list[Any]:
    """Return what a handler makes of the rows: a list of boxes with scores for each sample."""
    answers = [run(inputs)["y"][0] for inputs in DETECTOR.samples]
    return [[{"box": row[:4].tolist(), "score": float(row[4])} for row in rows if row[4] > 0] for rows in answers]


def swapped_outputs() -> tuple[Subject, Run]:
    base = regressor()

    def run(inputs: Arrays) -> dict[str, NDArray[Any]]:
        y = base.run(inputs)["y"]
        return {"a": y, "b": y * np.float32(1.01)}

    base_outputs = {"a": base.outputs["y"], "b": base.outputs["y"]}
    return Subject(run, base_outputs, base.samples), lambda inputs: dict(
        zip("ab", reversed(run(inputs).values()), strict=True)
    )


def test_two_outputs_of_one_shape_swapped_are_refused() -> None:
    """25: names are not enough where shapes agree."""
    subject, artifact = swapped_outputs()
    assert subject.judge(artifact, "int8").verdict == "wrong"


def float16(y: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return y.astype(np.float16).astype(np.float32)


def clamped_masks(y: NDArray[Any]) -> NDArray[Any]:
    return np.where(y < MASKED, np.float32(-65504), y)


def infinite_masks(y: NDArray[Any]) -> NDArray[Any]:
    return np.where(y < MASKED, np.float32(-np.inf), y)


def split_scales(y: NDArray[Any]) -> NDArray[Any]:
    y[..., BOXES] = np.round(y[..., BOXES] / 2.5) * 2.5
    y[..., SCORES] = np.round(y[..., SCORES] * 255) / 255
    return y


def rounded_otherwise(y: NDArray[Any]) -> NDArray[Any]:
    return y * np.float32(1 + 1e-7)


CONTROLS: dict[str, tuple[Subject, Run, str]] = {
    "int8 with a scale for each part": (DETECTOR, changed(DETECTOR.run, split_scales), "int8"),
    "-1e9 become float16's lowest": (TAGGER, changed(TAGGER.run, clamped_masks), "fp32"),
    "-1e9 become minus infinity": (TAGGER, changed(TAGGER.run, infinite_masks), "fp32"),
    "minus infinity become float16's lowest": (INFINITE, changed(TAGGER.run, clamped_masks), "fp32"),
    "minus infinity become -1e9": (INFINITE, TAGGER.run, "int8"),
    "an empty picture beside full ones": (LISTER, changed(LISTER.run, rounded_otherwise), "fp32"),
    "an empty picture in float16": (LISTER, changed(LISTER.run, float16), "fp16"),
    "sums in another order": (REGRESSOR, changed(REGRESSOR.run, rounded_otherwise), "fp32"),
    "float16 of a wide output": (DETECTOR, changed(DETECTOR.run, float16), "fp16"),
    "int8 centred on its range": (REGRESSOR, changed(REGRESSOR.run, lambda y: grid(6 / 255)(y - 292) + 292), "int8"),
    "the network itself": (DETECTOR, DETECTOR.run, "fp32"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_sound_artifact_is_not_refused(name: str) -> None:
    """A gate that refuses these is switched off."""
    subject, artifact, precision = CONTROLS[name]
    found = subject.judge(artifact, precision)
    assert found.passed, found


def test_the_gap_between_sound_and_broken_int8_is_wide() -> None:
    """The worst slice of a sound artifact is at half its limit or less, that of a blind one at five times or more."""
    sound = DETECTOR.judge(changed(DETECTOR.run, split_scales), "int8")
    blind = DETECTOR.judge(changed(DETECTOR.run, grid(2.5)), "int8")
    assert sound.error < 0.1 / 2
    assert blind.error > 5 * 0.1


def test_an_ill_conditioned_network_is_held_by_float64() -> None:
    """Where eager itself is that far from float64, an artifact may be as far; where it is exact, it may not."""
    from edgefn.accuracy import judging
    from edgefn.accuracy.judge import judge
    from tests.edgefn.accuracy.networks import _Session

    noise = np.random.default_rng(5)
    subject = regressor()
    pairs = subject.pairs._replace(sizes=())
    shaken = changed(subject.run, lambda y: y + noise.normal(0, 2e-3, y.shape).astype(np.float32))
    residuals = [{"y": noise.normal(0, 1.5e-3, pair.outputs["y"].shape)} for pair in pairs.samples[:4]]
    known = judging.found("net", subject.outputs, pairs.samples, Accuracy(), residuals=residuals)
    assert judge(_Session(shaken), pairs, known, "fp32").passed
    assert judge(_Session(shaken), pairs, subject.judging(), "fp32").verdict == "wrong"
