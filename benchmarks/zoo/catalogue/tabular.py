"""Networks of tables: numbers, categories, or both; of benchmarks/zoo/written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.zoo.network import Input, Network, written

NUMBERS = {"numbers": Input("float32", ("batch", 10), "normal")}
BOTH = NUMBERS | {"categories": Input("int64", ("batch", 6), "codes", 20)}
PAIRS = {"user": Input("int64", ("batch",), "codes", 50), "item": Input("int64", ("batch",), "codes", 80)}

OF_NUMBERS = (
    "mlp",
    "selu_regression",
    "resnet_for_tables",
    "tabnet",
    "table_autoencoder",
    "vae",
    "soft_trees",
    "kan",
    "mixture_of_experts",
)
OF_BOTH = (
    "mlp_with_embeddings",
    "tabtransformer",
    "ft_transformer",
    "wide_and_deep",
    "deepfm",
    "dcn_v2",
    "dlrm",
    "autoint",
    "saint",
)
OF_PAIRS = ("collaborative_filtering", "two_towers")


def networks() -> Iterator[Network]:
    """The list."""
    for names, inputs in ((OF_NUMBERS, NUMBERS), (OF_BOTH, BOTH), (OF_PAIRS, PAIRS)):
        for name in names:
            yield _table(name, inputs)


def _table(name: str, inputs: Mapping[str, Input]) -> Network:
    return written(Network(name, "tabular", "", inputs, {"batch": 2}, {"batch": (1, 3, 64)}))
