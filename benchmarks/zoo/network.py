"""One entry of the list: how its author builds the network, what goes in, and at which sizes it is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

Size = int | str


@dataclass(frozen=True)
class Input:
    """An input: its dtype, its shape with a word for each size that may be free, and what such arrays look like.

    `kind` is a name of `inputs.KINDS`; `high` the number of different whole numbers, where it draws those.
    """

    dtype: str
    shape: tuple[Size, ...]
    kind: str
    high: int = 0


@dataclass(frozen=True)
class Network:
    """A network by a public name.

    family  the heading that it stands below, e.g. "torchvision, classification"
    source  the body of its builder, which ends with `return`
    module  the file of benchmarks/zoo/written that lies beside the function as architecture.py, where `source` needs it
    inputs  by name, in the order of forward()
    sizes   of each word in the samples and, where all sizes are fixed, in the declaration
    trials  of each word, beside the samples' own: 1, an odd one, a larger one, as far as the network allows
    """

    name: str
    family: str
    source: str
    inputs: Mapping[str, Input]
    sizes: Mapping[str, int]
    trials: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    module: str = ""

    @property
    def function(self) -> str:
        """The name of its function's folder and module."""
        return "".join(letter if letter.isalnum() else "_" for letter in self.name.lower())

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """The inputs' shapes where the words have these sizes."""
        return {
            name: tuple(sizes[size] if isinstance(size, str) else size for size in one.shape)
            for name, one in self.inputs.items()
        }

    def others(self) -> Iterator[dict[str, int]]:
        """Sizes beside the samples': each word's trials with the others as they are, then all words' together."""
        for word, trials in self.trials.items():
            for trial in trials:
                yield {**self.sizes, word: trial}
        if len(self.trials) > 1:
            for number in range(1, 1 + max(map(len, self.trials.values()))):
                yield {**self.sizes, **{word: trials[-number % len(trials)] for word, trials in self.trials.items()}}


def written(network: Network) -> Network:
    """The network whose module in benchmarks/zoo/written has its name."""
    return replace(network, source="from architecture import network\n\nreturn network()", module=network.name)


BATCH = (1, 3, 5)
"""What a batch is tried at; the samples' own is 2."""


def image(
    name: str, family: str, source: str, side: int = 64, *, free: bool = True, step: int = 1, least: int = 32
) -> Network:
    """A network of colour images, `side` pixels square.

    Height and width are free unless `free` is False; they are tried at multiples of `step` that are `least` or more.
    """
    if not free:
        pixels = Input("float32", ("batch", 3, side, side), "image")
        return Network(name, family, source, {"pixels": pixels}, {"batch": 2}, {"batch": BATCH})
    pixels = Input("float32", ("batch", 3, "height", "width"), "image")
    heights = tuple(-(-size // step) * step for size in (max(least, side * 3 // 4 + 1), side + 33))
    widths = tuple(-(-size // step) * step for size in (side + 1, max(least, side * 5 // 8 + 1)))
    return Network(
        name,
        family,
        source,
        {"pixels": pixels},
        {"batch": 2, "height": side, "width": side},
        {"batch": BATCH, "height": heights, "width": widths},
    )


def tokens(
    name: str,
    family: str,
    source: str,
    *,
    vocabulary: int = 500,
    mask: bool = True,
    length: int = 16,
    trials: tuple[int, ...] = (1, 7, 33),
    names: tuple[str, str] = ("input_ids", "attention_mask"),
) -> Network:
    """A network of token numbers, with an attention mask beside them unless `mask` is False."""
    inputs = {names[0]: Input("int64", ("batch", "length"), "tokens", vocabulary)}
    if mask:
        inputs[names[1]] = Input("int64", ("batch", "length"), "mask")
    return Network(name, family, source, inputs, {"batch": 2, "length": length}, {"batch": BATCH, "length": trials})


def signal(
    name: str,
    family: str,
    source: str,
    shape: tuple[Size, ...],
    sizes: Mapping[str, int],
    trials: Mapping[str, tuple[int, ...]],
    *,
    kind: str = "wave",
    input: str = "x",
) -> Network:
    """A network of one float tensor of any kind."""
    inputs = {input: Input("float32", shape, kind)}
    return Network(name, family, source, inputs, sizes, {"batch": BATCH, **trials} if "batch" in sizes else trials)
