"""The classifier knows its samples, in eager PyTorch and compiled."""

from __future__ import annotations

from pathlib import Path

import pytest
from classify_image import CROPPED, LABELS, classify_image, efficientnet, prepare

from edgefn import Image, backends
from edgefn.compile import lower
from edgefn.targets.profiles import target

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SAMPLES = Path(__file__).parent / "samples"
CATS = {"tabby", "tiger cat", "Egyptian cat"}


def test_there_is_a_label_for_each_class() -> None:
    """ImageNet's 1,000 classes, each once; the cats where the network has them."""
    assert len(LABELS) == len(set(LABELS)) == 1000
    assert {LABELS[place] for place in (281, 282, 285)} == CATS


def test_pixels_are_as_the_network_was_trained() -> None:
    """Channels first, from -127/128 to 1, whatever the photo's size or mode."""
    for name in ("cat.jpg", "camera.jpg"):
        pixels = prepare(Image.open(SAMPLES / name))
        assert (pixels.shape, pixels.dtype.name) == ((1, 3, CROPPED, CROPPED), "float32")
        assert -127 / 128 <= pixels.min() < pixels.max() <= 1


@pytest.mark.parametrize(
    ("photo", "labels"),
    [("cat.jpg", CATS), ("coffee.jpg", {"espresso"}), ("camera.jpg", {"tripod"}), ("rocket.jpg", {"missile"})],
)
def test_a_photo_is_what_it_shows(photo: str, labels: set[str]) -> None:
    """The likeliest label is right; five come, by probability."""
    found = classify_image(Image.open(SAMPLES / photo))
    assert found[0].label in labels
    assert len(found) == 5
    assert [label.score for label in found] == sorted((label.score for label in found), reverse=True)
    assert 0 < sum(label.score for label in found) <= 1.00001


def test_the_compiled_network_sees_the_cat_too(tmp_path: Path) -> None:
    """Captured, lowered, finished and bound as on a box, it gives the same labels and nearly the same scores."""
    from edgefn.compile.capture.capture import capture
    from edgefn.compile.capture.eager import EagerSession

    photo = Image.open(SAMPLES / "cat.jpg")
    eager = EagerSession(efficientnet.builder, efficientnet.spec)
    efficientnet.bind(eager)
    wanted = classify_image(photo)
    backend = backends.get("onnxruntime")
    lower.get("onnxruntime").lower(capture(eager), target("portable/fp32"), tmp_path / "portable")
    backend.finish(tmp_path / "portable", tmp_path / "finished")
    try:
        efficientnet.bind(backend.load(tmp_path / "finished"))
        found = classify_image(photo)
    finally:
        efficientnet.bind(eager)
    assert found[0].label in CATS
    assert [label.label for label in found] == [label.label for label in wanted]
    assert [label.score for label in found] == pytest.approx([label.score for label in wanted], rel=1e-3)
