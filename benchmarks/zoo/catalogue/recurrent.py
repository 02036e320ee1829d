"""Networks with a time axis and a state, of benchmarks/zoo/written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.zoo.network import BATCH, Input, Network, signal, tokens, written

SERIES = ("batch", "time", 6)
SIZES, TRIALS = {"batch": 2, "time": 24}, {"time": (1, 17, 61)}
OF_SERIES = (
    "rnn_classifier",
    "lstm_classifier",
    "gru_classifier",
    "lstm_of_two_layers",
    "bigru_classifier",
    "lstm_with_projection",
    "lstm_autoencoder",
    "lstm_forecaster",
    "tcn",
    "series_transformer",
    "min_gru",
)


def networks() -> Iterator[Network]:
    """The list."""
    for name in OF_SERIES:
        yield written(signal(name, "recurrent", "", SERIES, SIZES, TRIALS, kind="walk"))
    yield written(signal("n_beats", "recurrent", "", ("batch", 24, 6), {"batch": 2}, {}, kind="walk"))
    yield written(tokens("bilstm_tagger", "recurrent", "", mask=False))
    yield written(tokens("gru_attention", "recurrent", "", mask=True))
    yield written(tokens("lstm_language_model", "recurrent", "", mask=False))
    yield _stateful("stateful_gru", {"state": (1, "batch", 32)})
    yield _stateful("stateful_lstm", {"hidden": (2, "batch", 32), "cell": (2, "batch", 32)})
    shape = ("batch", 5, 1, "height", "width")
    sizes, trials = {"batch": 2, "height": 16, "width": 16}, {"height": (9, 33), "width": (15, 24)}
    yield written(signal("convlstm", "recurrent", "", shape, sizes, trials, kind="normal"))


def _stateful(name: str, states: Mapping[str, tuple[int | str, ...]]) -> Network:
    inputs = {"x": Input("float32", SERIES, "walk")}
    inputs |= {state: Input("float32", shape, "normal") for state, shape in states.items()}
    return written(Network(name, "recurrent", "", inputs, SIZES, {"batch": BATCH, **TRIALS}))
