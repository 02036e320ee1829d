"""Detectors, segmentation, restoration, points, graphs, coordinates; of benchmarks/zoo/written."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.zoo.network import BATCH, Input, Network, Size, signal, written

Trials = dict[str, tuple[int, ...]]
GREY: tuple[Size, ...] = ("batch", 1, "height", "width")
COLOUR: tuple[Size, ...] = ("batch", 3, "height", "width")
POINTS: tuple[Size, ...] = ("batch", "points", 3)
SIZES = {"batch": 2, "height": 48, "width": 64}
ANY: Trials = {"height": (33, 80), "width": (47, 96)}
EIGHTS: Trials = {"height": (32, 80), "width": (40, 96)}

PICTURES: dict[str, tuple[tuple[Size, ...], Trials]] = {
    "u_net": (COLOUR, EIGHTS),
    "u_net_of_any_size": (COLOUR, ANY),
    "espcn": (GREY, ANY),
    "srcnn": (GREY, ANY),
    "fsrcnn": (GREY, ANY),
    "edsr": (COLOUR, ANY),
    "dncnn": (GREY, ANY),
    "yolo_like": (COLOUR, {"height": (32, 96), "width": (96, 128)}),
    "heat_map": (COLOUR, EIGHTS),
    "keypoints": (COLOUR, EIGHTS),
    "nearest_features": (COLOUR, EIGHTS),
    "style_transfer": (COLOUR, EIGHTS),
    "spatial_transformer": (GREY, ANY),
    "deformable_convolution": (COLOUR, ANY),
    "pyramid_pooling": (COLOUR, ANY),
    "crowd_counting": (COLOUR, EIGHTS),
    "lenet": (GREY, ANY),
}
"""With their channels, and the sizes that they are tried at: a network that halves thrice takes multiples of eight."""


def networks() -> Iterator[Network]:
    """The list."""
    for name, (shape, trials) in PICTURES.items():
        sizes = {**SIZES, "height": 64} if name == "yolo_like" else SIZES
        yield _other(name, shape, sizes, trials, kind="unit", input="pixels")
    yield _other("vae_decoder", ("batch", 16), {"batch": 2}, {})
    yield _other("dcgan_generator", ("batch", 32, 1, 1), {"batch": 2}, {})
    for name in ("pointnet", "dgcnn", "set_transformer"):
        yield _other(name, POINTS, {"batch": 2, "points": 64}, {"points": (33, 150)})
    for name in ("siren", "nerf"):
        yield _other(name, ("points", 3), {"points": 64}, {"points": (1, 33, 150)}, kind="uniform")
    for name in ("gcn", "gat"):
        yield _graph(name)
    sizes = {"batch": 2, "depth": 8, "height": 16, "width": 16}
    trials = {"depth": (4, 12), "height": (24,), "width": (20,)}
    yield _other("u_net_in_space", ("batch", 1, "depth", "height", "width"), sizes, trials)
    yield _other("mlp_mixer", ("batch", 3, 32, 32), {"batch": 2}, {}, kind="unit", input="pixels")
    pair = {name: Input("float32", ("batch", 3, 48, 48), "unit") for name in ("a", "b")}
    yield written(Network("siamese", "others", "", pair, {"batch": 2}, {"batch": BATCH}))


def _other(
    name: str,
    shape: tuple[Size, ...],
    sizes: dict[str, int],
    trials: Trials,
    kind: str = "normal",
    input: str = "x",
) -> Network:
    return written(signal(name, "others", "", shape, sizes, trials, kind=kind, input=input))


def _graph(name: str) -> Network:
    inputs = {
        "features": Input("float32", ("batch", "nodes", 8), "normal"),
        "edges": Input("float32", ("batch", "nodes", "nodes"), "graph"),
    }
    return written(
        Network(name, "others", "", inputs, {"batch": 2, "nodes": 12}, {"batch": BATCH, "nodes": (1, 7, 31)})
    )
