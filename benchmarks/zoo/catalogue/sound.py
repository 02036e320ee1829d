"""Networks of sounds and of other signals along one axis, of benchmarks/zoo/written."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.zoo.network import Network, signal, written

WAVE = ("batch", 1, "time")
PICTURE = ("batch", 1, 40, "frames")


def networks() -> Iterator[Network]:
    """The list."""
    for name in ("m5", "sincnet"):
        yield _signal(name, WAVE, 4000, (2001, 8005))
    yield _signal("ecg_resnet", ("batch", 12, "time"), 500, (251, 1003))
    yield _signal("eegnet", ("batch", 1, 22, "time"), 256, (257, 500), kind="normal")
    yield _signal("wavenet", WAVE, 400, (1, 201, 801))
    yield _signal("conv_tasnet", WAVE, 1600, (808, 2400))
    yield _signal("wave_u_net", WAVE, 1024, (512, 2048))
    yield _signal("mel_cnn", ("batch", "time"), 4000, (2001, 8005))
    yield _signal("enhancer", ("batch", "time"), 4096, (2048, 8192))
    for name in ("ds_cnn", "tc_resnet8", "ecapa_tdnn", "conformer"):
        yield _signal(name, PICTURE, 98, (33, 151), word="frames", kind="normal")
    yield _signal("crnn", ("batch", 1, 32, "width"), 100, (64, 161), word="width", kind="unit")
    yield _signal("quartznet", ("batch", 64, "frames"), 120, (61, 201), word="frames", kind="normal")
    yield _signal("deepspeech_2", PICTURE, 60, (41, 101), word="frames", kind="normal")


def _signal(
    name: str, shape: tuple[int | str, ...], size: int, trials: tuple[int, ...], word: str = "time", kind: str = "wave"
) -> Network:
    return written(signal(name, "sound", "", shape, {"batch": 2, word: size}, {word: trials}, kind=kind))
