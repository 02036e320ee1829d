"""What a function and its models are, as data: frozen, checked, the same on laptop, in the bundle and on the box.

The decorators make these; the bundle's config carries them as JSON; the box reads them without importing a
line of the user's code. Nothing here does I/O.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"

Optimize = Literal["throughput", "latency"]
ParameterKind = Literal["image", "tensor", "bytes", "text", "value"]
ResultKind = Literal["image", "tensor", "bytes", "text", "value", "none"]
Dimension = int | str


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor's dtype (NumPy's name) and shape; a `str` dimension is symbolic and binds across inputs.

    `tensor("float32", "batch", 3, 224, 224)` makes one.
    """

    dtype: str
    shape: tuple[Dimension, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's name and its named, typed inputs and outputs. `outputs` is read from the network at build."""

    name: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec] = {}


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
    scale            (fewest, most) instances
    concurrency      requests an instance serves at once
    queue            requests that may wait beside those being served; one more gets 429
    max_body_bytes   a larger request body gets 413, before it is read
    network          it may reach the network; else it has none
    optimize         what instances and threads are chosen for: requests a second, or the time of one
    threads          threads that an instance's engine runs on; 0: chosen for the box by `optimize`
    golden_inputs    real samples travel in the bundle, so that a box can prove its artifacts on them
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
