"""The options of `@edge_function`: how each is written, what is accepted, and which field of the spec it sets.

Every option given takes effect or is a SpecError at import; none is ever ignored.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, get_args

from edgefn.errors import SpecError
from edgefn.spec import NAME_PATTERN, Optimize, UnknownQuery
from edgefn.text.quantities import parse_bytes, parse_duration
from edgefn.text.suggestion import did_you_mean

MIN_MEMORY_BYTES = 2**20
"""Below a MiB no request can be decoded, so such a value is a unit forgotten ("256" for "256MiB")."""
MAX_MEMORY_BYTES = 2**44
MAX_DURATION_S = 24 * 3600.0
"""A day: longer is a job and not a function call, and 24 h catches minutes written for milliseconds."""
MAX_BODY_BYTES = 2**31
"""2 GiB: a body is held in memory whole, and frames between box and instance count bytes in 32 bits."""
MAX_COUNT = 10_000
"""Instances, slots or waiting requests: more than one box has ever held is a slip of the keyboard."""
MAX_THREADS = 256
"""Threads of one model's run: beyond it no operator has work for each."""
MAX_DEVICES = 32
"""More than a camera on each port and all accelerators of a box."""


AUTO_IDLE: Mapping[str, object] = {"idle_auto": True, "idle_s": 600.0}
"""idle="auto": at most ten minutes, the time for which clouds keep a function; the box learns how long is enough."""


class FunctionOptions(TypedDict, total=False):
    """What `@edge_function(...)` takes; FunctionSpec says what each means."""

    name: str
    memory: str | int
    timeout: str | float
    idle: str | float
    scale: tuple[int, int]
    concurrency: int
    queue: int
    max_body: str | int
    network: bool
    optimize: Optimize
    threads: int
    devices: Sequence[str]
    golden_inputs: bool
    unknown_query: UnknownQuery


def read_options(options: Mapping[str, object]) -> dict[str, Any]:
    """Read `options`; return FunctionSpec fields. Raise SpecError with the option and what is accepted."""
    fields: dict[str, Any] = {}
    for option, value in options.items():
        if option not in _READERS:
            raise SpecError(f'unknown option "{option}"{did_you_mean(option, _READERS)}')
        if option == "idle" and isinstance(value, str) and value == "auto":
            fields |= AUTO_IDLE
            continue
        field, read = _READERS[option]
        fields[field] = read(option, value)
    return fields


def check_name(name: object, what: str = "name") -> str:
    """Return `name` if it can be part of a URL, a folder and a metric's label.

    Raise SpecError that names `what`.
    """
    if not isinstance(name, str) or re.fullmatch(NAME_PATTERN, name) is None:
        raise SpecError(
            f"{what} is {name!r}: use a lower-case letter, then at most 62 of a-z, 0-9 and _, "
            'e.g. name="classify_image"'
        )
    return name


def _memory(option: str, value: object) -> int:
    return _bytes(option, value, MIN_MEMORY_BYTES, MAX_MEMORY_BYTES, '"1MiB" to "16384GiB", e.g. "256MiB"')


def _body(option: str, value: object) -> int:
    return _bytes(option, value, 1, MAX_BODY_BYTES, '1 byte to "2GiB", e.g. "20MiB"')


def _bytes(option: str, value: Any, least: int, most: int, accepted: str) -> int:
    count = parse_bytes(value, what=option)
    if not least <= count <= most:
        raise SpecError(f"{option} is {value!r}: use {accepted}")
    return count


def _timeout(option: str, value: Any) -> float:
    seconds = parse_duration(value, what=option)
    if not 0 < seconds <= MAX_DURATION_S:
        raise SpecError(f'{option} is {value!r}: use more than 0 and at most "24h", e.g. "2s"')
    return seconds


def _idle(option: str, value: Any) -> float:
    seconds = parse_duration(value, what=option)
    if seconds > MAX_DURATION_S:
        raise SpecError(f'{option} is {value!r}: use "auto" or 0 to "24h", e.g. "60s"; scale=(1, n) never goes to zero')
    return seconds


def _scale(option: str, value: object) -> tuple[int, int]:
    match value:
        case (int(low), int(high)) if not isinstance(low, bool) and not isinstance(high, bool):
            if 0 <= low <= high <= MAX_COUNT and high >= 1:
                return (low, high)
    raise SpecError(
        f"{option} is {value!r}: use (min, max) instances, whole numbers with 0 <= min <= max and "
        f"1 <= max <= {MAX_COUNT}, e.g. (0, 4)"
    )


def _count(least: int, most: int = MAX_COUNT) -> Callable[[str, object], int]:
    def read(option: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise SpecError(f"{option} is {value!r}: use a whole number from {least} to {most}")
        return value

    return read


def _optimize(option: str, value: object) -> str:
    if not isinstance(value, str) or value not in get_args(Optimize):
        raise SpecError(f'{option} is {value!r}: use "throughput" (requests a second) or "latency" (of one request)')
    return value


def _unknown_query(option: str, value: object) -> str:
    if not isinstance(value, str) or value not in get_args(UnknownQuery):
        raise SpecError(f'{option} is {value!r}: use "refuse", or "ignore" if a proxy adds its own parameters')
    return value


def _switch(option: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"{option} is {value!r}: use True or False")
    return value


def _devices(option: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and len(value) <= MAX_DEVICES and all(map(_is_device, value)):
        return tuple(dict.fromkeys(value))
    raise SpecError(
        f"{option} is {value!r}: use a list of at most {MAX_DEVICES} paths below /dev/ without `..`, "
        'e.g. ["/dev/video0"]'
    )


def _is_device(path: object) -> bool:
    return isinstance(path, str) and path.startswith("/dev/") and posixpath.normpath(path) == path and "\0" not in path


_READERS: dict[str, tuple[str, Callable[[str, object], object]]] = {
    "name": ("name", lambda option, value: check_name(value, option)),
    "memory": ("memory_bytes", _memory),
    "timeout": ("timeout_s", _timeout),
    "idle": ("idle_s", _idle),
    "scale": ("scale", _scale),
    "concurrency": ("concurrency", _count(1)),
    "queue": ("queue", _count(0)),
    "max_body": ("max_body_bytes", _body),
    "network": ("network", _switch),
    "optimize": ("optimize", _optimize),
    "threads": ("threads", _count(1, MAX_THREADS)),
    "devices": ("devices", _devices),
    "golden_inputs": ("golden_inputs", _switch),
    "unknown_query": ("unknown_query", _unknown_query),
}
