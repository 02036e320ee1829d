"""Calls of a model that run as one: the options `batch` and `batch_wait`, and arrays put together and taken apart.

Pure but for NumPy, which is imported when arrays are there. The box decides when calls are run together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from edgefn.errors import SpecError
from edgefn.spec import Batching, FunctionSpec, ModelSpec, TensorSpec
from edgefn.text.quantities import parse_duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.session import Session

    Arrays = Mapping[str, NDArray[np.generic]]

MAX_ROWS = 1024
"""More than that many requests at once are never inside one instance; it would be a size in bytes written here."""
DEFAULT_WAIT_S = 0.002
MAX_WAIT_S = 1.0
"""A request that waits for longer than that for company is not answered by a function but by a batch job."""


def read_batching(
    batch: object,
    batch_wait: object,
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec],
    where: str,
) -> Batching | None:
    """Read the two options; return None without `batch`. Raise SpecError that begins with `where`."""
    if batch is None:
        if batch_wait is not None:
            raise SpecError(f"{where}: batch_wait is given and batch is not: add batch=8, or leave batch_wait out")
        return None
    if isinstance(batch, bool) or not isinstance(batch, int) or not 2 <= batch <= MAX_ROWS:
        raise SpecError(f"{where}: batch is {batch!r}: use a whole number from 2 to {MAX_ROWS}, e.g. 8")
    _check_rows(inputs, outputs, where)
    return Batching(batch, _wait_s(batch_wait, where))


def _wait_s(batch_wait: object, where: str) -> float:
    if batch_wait is None:
        return DEFAULT_WAIT_S
    seconds = parse_duration(batch_wait, what=f"{where}: batch_wait")  # type: ignore[arg-type]  # it checks the type
    if seconds > MAX_WAIT_S:
        raise SpecError(f'{where}: batch_wait is {batch_wait!r}: use 0 to "1s", e.g. "2ms"')
    return seconds


def _check_rows(inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec], where: str) -> None:
    if not inputs:
        raise SpecError(f"{where}: batch puts calls together by their inputs, and the model has none: leave batch out")
    for kind, specs in (("input", inputs), ("output", outputs)):
        for name, spec in specs.items():
            if not spec.shape or not isinstance(spec.shape[0], str):
                raise SpecError(
                    f"{where}: batch puts calls together along the first dimension, and {kind} {name!r} is {spec}: "
                    'declare it by a word, e.g. tensor("float32", "batch", 3, 224, 224), or leave batch out'
                )
    firsts = sorted({str(spec.shape[0]) for spec in (*inputs.values(), *outputs.values())})
    if len(firsts) > 1:
        raise SpecError(
            f"{where}: batch puts calls together along the first dimension, which is called {' and '.join(firsts)}: "
            "give it one name in all inputs and outputs, or leave batch out"
        )


def check_outputs(model: str, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]) -> None:
    """Raise SpecError unless all outputs of a network can be taken apart; it names the first that cannot."""
    _check_rows(inputs, outputs, f"@edge_model {model}")


def check_range(model: ModelSpec, batching: Batching) -> None:
    """Raise SpecError, with the allowed range, when the network takes fewer rows than `batching` allows."""
    first = str(next(iter(model.inputs.values())).shape[0])
    allowed = model.ranges.get(first)
    if allowed is not None and allowed.max is not None and batching.rows > allowed.max:
        raise SpecError(
            f"@edge_model {model.name}: batch puts up to {batching.rows} rows together, and {first} is {allowed}: "
            f"write batch={allowed.max} at most, or leave it out"
        )


def check_function(function: FunctionSpec, is_async: bool, models: Iterable[str]) -> None:
    """Raise SpecError, with the remedy, unless calls of `function` can run as one in `models`.

    `models` are the names of its models with batch.
    """
    for model in models:
        if is_async:
            raise SpecError(
                f"model {model} has batch, and {function.name} is `async`: a model call blocks its event loop, so no "
                f"two calls ever come together. Make {function.name} a plain `def`, or leave batch out"
            )
        if function.concurrency == 1:
            raise SpecError(
                f"model {model} has batch, and an instance of {function.name} serves one request at a time: "
                f"write @edge_function(concurrency=8) on {function.name}, or leave batch out"
            )


def kind_of(inputs: Arrays) -> Hashable:
    """Return a key that is equal for calls that can run together.

    It has the dtypes, and the shapes after the first dimension.
    """
    return tuple((name, array.dtype, array.shape[1:]) for name, array in inputs.items())


def rows_of(inputs: Arrays) -> int:
    """Return the length of the first dimension.

    The model's check of its inputs has found it to be the same in all of them.
    """
    return int(next(iter(inputs.values())).shape[0])


def together(calls: Sequence[Arrays]) -> dict[str, NDArray[np.generic]]:
    """Concatenate the inputs of all `calls`, which are of one kind, along the first dimension."""
    import numpy as np

    return {name: np.concatenate([inputs[name] for inputs in calls]) for name in calls[0]}


def apart(outputs: Arrays, rows: Sequence[int]) -> list[dict[str, NDArray[np.generic]]]:
    """Split `outputs` to each call's rows, in the order of `rows`.

    Raise ValueError when the number of rows is wrong.
    """
    total = sum(rows)
    for name, array in outputs.items():
        if not array.ndim or len(array) != total:
            raise ValueError(f"output {name!r} has shape {array.shape} for {total} rows")
    ends = [sum(rows[: number + 1]) for number in range(len(rows))]
    return [
        {name: array[end - count : end] for name, array in outputs.items()}
        for count, end in zip(rows, ends, strict=True)
    ]


class PairedSession:
    """A session that runs no call alone: beside each lies the one before it, louder. The answers are to be the same.

    It is how the golden samples show that a network keeps its rows apart: one that takes, say, the mean over its
    first dimension cannot be batched. Nor can one whose rows meet where one is large: int8 with a range of each run
    has one range for all of its callers.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: dict[Hashable, Arrays] = {}

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Return the outputs for `inputs` out of a run of two calls."""
        kind = kind_of(inputs)
        company = {name: _louder(array) for name, array in (self._before.get(kind) or inputs).items()}
        self._before[kind] = inputs
        outputs = self._session.run(together([company, inputs]))
        return apart(outputs, [rows_of(company), rows_of(inputs)])[1]


LOUDER = 1000.0


def _louder(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return floats far larger than `array`'s, and not all 0.

    Whole numbers stay as they are, because they may be names of things.
    """
    import numpy as np

    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        return (np.nan_to_num(array.astype(np.float64)) * LOUDER + 1.0).astype(array.dtype)
