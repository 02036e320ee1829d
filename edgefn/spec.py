"""Specifications of a function and its models, as data: the same on laptop, in the bundle and on the box.

Frozen and checked. The decorators make these; the bundle's config carries them as JSON; the box reads them without
importing a line of the user's code. Nothing here does I/O.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"

Optimize = Literal["throughput", "latency"]
UnknownQuery = Literal["refuse", "ignore"]
ParameterKind = Literal["image", "tensor", "bytes", "text", "value"]
ResultKind = Literal["image", "tensor", "bytes", "text", "value", "none"]
Dimension = int | str

MAX_DIMENSION = 2**31 - 1
"""The engines count elements along an axis in 32 bits (ONNX Runtime's MLAS, TensorRT's Dims)."""

MAX_ANSWER_BYTES = 64 * 2**20
"""What one answer of a function may have."""


class SizeRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The lengths of a free dimension: from `min` to `max` (None: no limit), in multiples of `multiple_of`.

    Raises ValueError where no length is left. `length in range` tells whether a length is one of them.
    """

    min: int = 1
    max: int | None = None
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if self.min < 0 or self.multiple_of < 1:
            raise ValueError(
                f"min is {self.min} and multiple_of is {self.multiple_of}: use min=0, multiple_of=1 or more"
            )
        if self.max is not None and self._first > self.max:
            raise ValueError(f"no length can be {self}")

    def __contains__(self, length: int) -> bool:
        return self.min <= length and (self.max is None or length <= self.max) and length % self.multiple_of == 0

    def __str__(self) -> str:
        limits = f"{self.min} or more" if self.max is None else f"{self.min} to {self.max}"
        if self.min == self.max:
            limits = str(self.min)
        if self.multiple_of == 1:
            return limits
        several = f"a multiple of {self.multiple_of}"
        return several if self.max is None and self.min <= self.multiple_of else f"{several}, {limits}"

    def tightened(self) -> SizeRange:
        """Return the same range with a `min` and a `max` that are themselves allowed lengths."""
        most = None if self.max is None else self.max - self.max % self.multiple_of
        return SizeRange(self._first, most, self.multiple_of)

    @property
    def _first(self) -> int:
        return self.min + -self.min % self.multiple_of


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tensor's dtype (NumPy's name) and shape; a `str` dimension is symbolic and binds across inputs.

    `tensor("float32", "batch", 3, 224, 224)` makes one. `ranges` are those that were declared of its words. An
    output's `str` dimension may be an expression in the words of the inputs (`edgefn.dimensions.expressions`).
    """

    dtype: str
    shape: tuple[Dimension, ...]
    ranges: dict[str, SizeRange] = {}

    def __hash__(self) -> int:  # a type hint holds it, and typing hashes hints; a dict has no hash
        return hash((self.dtype, self.shape))

    def __str__(self) -> str:
        told = ", ".join(f"{word} {range}" for word, range in self.ranges.items())
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]{told and f' ({told})'}"


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model's name and its named, typed inputs and outputs. `outputs` is read from the network at build.

    `ranges` are the lengths that its free dimensions may have, by word: as declared, and after a build as far as the
    network takes them.
    """

    name: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec] = {}
    ranges: dict[str, SizeRange] = {}


class Batching(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Concurrent calls of a model run as one, of at most `rows` rows; none waits over `wait_s` for company."""

    rows: int
    wait_s: float = 0.002


class ParameterSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One parameter of a handler: how it is read from a request, and its JSON Schema for OpenAPI."""

    name: str
    kind: ParameterKind
    schema: dict[str, Any] = {}
    required: bool = True


class ResultSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a handler returns, and its JSON Schema for OpenAPI."""

    kind: ResultKind = "value"
    schema: dict[str, Any] = {}


class FunctionSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function as the box needs to know it. Sizes in bytes, durations in seconds.

    entry            "module:attribute" of the decorated function, below the bundle's `code/`
    memory_bytes     what one instance may allocate beyond its template
    timeout_s        from admission to answer; then 504 and a new instance
    idle_s           an instance that served nothing for so long ends; its memory returns. Beside others, after a minute
    idle_auto        learnt from the idle times instead, with idle_s as the longest
    scale            (min, max) instances
    concurrency      requests an instance serves at once
    queue            requests that may wait beside those being served; one more gets 429
    max_body_bytes   a larger request body gets 413, before it is read
    network          it may reach the network; else it has none
    optimize         what instances and threads are chosen for: requests a second, or the time of one
    threads          threads that an instance's engine runs on; 0: chosen for the box by `optimize`
    golden_inputs    real samples travel in the bundle, so that a box can prove its artifacts on them
    readme           the first paragraph of the folder's README.md, for OpenAPI
    unknown_query    whether query parameters that the handler does not have are refused (400) or ignored
    devices          device nodes of the box that it may read, write and control, e.g. "/dev/video0"; else none
    """

    name: str
    entry: str
    memory_bytes: int = 512 * 2**20
    timeout_s: float = 10.0
    idle_s: float = 60.0
    scale: tuple[int, int] = (0, 4)
    concurrency: int = 1
    queue: int = 100
    max_body_bytes: int = 20 * 2**20
    network: bool = False
    parameters: tuple[ParameterSpec, ...] = ()
    result: ResultSpec = ResultSpec()
    description: str = ""
    idle_auto: bool = False
    optimize: Optimize = "throughput"
    threads: int = 0
    devices: tuple[str, ...] = ()
    golden_inputs: bool = True
    readme: str = ""
    unknown_query: UnknownQuery = "refuse"
