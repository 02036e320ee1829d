"""The digit reader reads scans that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import training
from PIL import Image as Pillow
from read_digits import digit_reader, prepare, read_digits

from edgefn import Image

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SAMPLES = Path(__file__).parent / "samples"
WANTED = 0.97


def test_scans_that_were_held_out_are_read() -> None:
    """At least 97 % of a quarter of the 1,797 scans, none of which was trained on."""
    scans, digits = training.scans(held_out=True)
    read = digit_reader(scans=scans).argmax(axis=1)
    assert len(digits) == training.HELD_OUT
    assert (read == digits).mean() >= WANTED


def test_no_scan_is_both_trained_on_and_held_out() -> None:
    """The two parts make up all the scans."""
    parts = [training.scans(held_out=part)[0] for part in (True, False)]
    assert sum(map(len, parts)) == 1797


@pytest.mark.parametrize("digit", range(10))
def test_a_sample_is_the_digit_of_its_name(digit: int) -> None:
    """The samples, which were held out, come out right, and so do the same ones eight times as large."""
    scan = Image.open(SAMPLES / f"{digit}.png")
    assert read_digits(scan).digit == digit
    large = Image.from_pil(scan.pil().resize((64, 64), Pillow.Resampling.NEAREST))
    assert read_digits(large).digit == digit
    assert 0.1 < read_digits(large).confidence <= 1


def test_ink_is_one_and_paper_nought() -> None:
    """Pixels are scaled to what the network was trained on."""
    scan = np.zeros((8, 8), np.uint8)
    scan[2, 3] = 255
    prepared = prepare(Image.from_pil(Pillow.fromarray(scan)))
    assert prepared.shape == (1, 1, 8, 8)
    assert (prepared[0, 0, 2, 3], prepared.sum()) == (1, 1)
