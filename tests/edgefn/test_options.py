"""Options of @edge_function: each sets its field, or is refused at import with what is accepted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import SpecError, edge_function
from edgefn.options import FunctionOptions, read_options
from edgefn.spec import FunctionSpec


def test_every_option_sets_its_field() -> None:
    """Sizes become bytes, durations seconds; nothing given is left out."""

    @edge_function(
        name="other",
        memory="256MiB",
        timeout="500ms",
        idle="1min",
        scale=(1, 3),
        concurrency=2,
        queue=0,
        max_body="1MB",
        network=True,
        optimize="latency",
        threads=3,
        devices=["/dev/video0", "/dev/v4l/by-id/left", "/dev/video0"],
    )
    def handler(n: int) -> int:
        """Says nothing."""
        return n

    spec = handler.spec
    assert (spec.name, spec.memory_bytes, spec.timeout_s, spec.idle_s) == ("other", 256 * 2**20, 0.5, 60.0)
    assert (spec.scale, spec.concurrency, spec.queue, spec.max_body_bytes) == ((1, 3), 2, 0, 10**6)
    assert spec.network
    assert (spec.optimize, spec.threads) == ("latency", 3)
    assert (FunctionSpec("f", "f:f").optimize, FunctionSpec("f", "f:f").threads) == ("throughput", 0)
    assert spec.devices == ("/dev/video0", "/dev/v4l/by-id/left")
    assert spec.description == "Says nothing."


def test_idle_may_be_learnt() -> None:
    """idle="auto": ten minutes at most; a duration is that duration, as before."""

    @edge_function(idle="auto")
    def handler(n: int) -> int:
        return n

    assert (handler.spec.idle_auto, handler.spec.idle_s) == (True, 600.0)
    assert (FunctionSpec("f", "f:f").idle_auto, read_options({"idle": "5min"})) == (False, {"idle_s": 300.0})


def test_the_options_are_the_declared_ones() -> None:
    """Type checkers and the check at import know the same options."""
    with pytest.raises(SpecError) as refused:
        read_options({"?": 1})
    assert set(str(refused.value).partition("use one of ")[2].split(", ")) == set(FunctionOptions.__annotations__)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memroy": "1GiB"}, r'unknown option "memroy"; did you mean "memory"\?'),
        ({"timout": "1s"}, r'unknown option "timout"; did you mean "timeout"\?'),
        ({"zzzz": 1}, r'unknown option "zzzz"; use one of concurrency, '),
        ({"memory": "256"}, "memory is '256': write a number and one of B, "),
        ({"memory": 1.5}, "memory is 1.5"),
        ({"memory": "100B"}, "memory is '100B': use \"1MiB\" to"),
        ({"memory": None}, "memory is None"),
        ({"timeout": 0}, "timeout is 0: use more than 0"),
        ({"timeout": "2 weeks"}, "timeout is '2 weeks'"),
        ({"timeout": "25h"}, "timeout is '25h'"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"timeout": True}, "timeout is True"),
        ({"idle": -1}, "idle is -1"),
        ({"idle": "48h"}, "idle is '48h': use \"auto\" or 0 to"),
        ({"idle": "Auto"}, "idle is 'Auto'"),
        ({"scale": 4}, r"scale is 4: use \(min, max\)"),
        ({"scale": (2, 1)}, r"scale is \(2, 1\)"),
        ({"scale": (0, 0)}, r"scale is \(0, 0\)"),
        ({"scale": (-1, 1)}, r"scale is \(-1, 1\)"),
        ({"scale": (False, True)}, r"scale is \(False, True\)"),
        ({"scale": (0, 1.5)}, r"scale is \(0, 1.5\)"),
        ({"concurrency": 0}, "concurrency is 0: use a whole number from 1"),
        ({"concurrency": "2"}, "concurrency is '2'"),
        ({"concurrency": True}, "concurrency is True"),
        ({"queue": -1}, "queue is -1: use a whole number from 0"),
        ({"max_body": 0}, "max_body is 0"),
        ({"max_body": "3GiB"}, "max_body is '3GiB'"),
        ({"network": "yes"}, "network is 'yes': use True or False"),
        ({"optimize": "speed"}, "optimize is 'speed': use \"throughput\""),
        ({"optimize": None}, "optimize is None"),
        ({"optimize": []}, r"optimize is \[\]"),
        ({"threads": 0}, "threads is 0: use a whole number from 1 to 256"),
        ({"threads": 257}, "threads is 257"),
        ({"threads": 2.0}, "threads is 2.0"),
        ({"devices": "/dev/video0"}, "devices is '/dev/video0': use a list of at most 32 paths below /dev/"),
        ({"devices": ["video0"]}, r"devices is \['video0'\]"),
        ({"devices": ["/dev/../etc/shadow"]}, r"devices is .* without `..`"),
        ({"devices": ["/dev/"]}, r"devices is \['/dev/'\]"),
        ({"devices": [b"/dev/video0"]}, "devices is "),
        ({"name": "Classify"}, "name is 'Classify': use a lower-case letter"),
        ({"name": "a" * 64}, "name is 'aaa"),
        ({"name": 3}, "name is 3"),
        ({"name": "a\n"}, "name is "),
    ],
)
def test_what_cannot_be_honoured_is_refused(options: dict[str, Any], message: str) -> None:
    """The error names the function and the option, and says what is accepted."""
    with pytest.raises(SpecError, match=message) as refused:

        @edge_function(**options)
        def handler(n: int) -> int:
            return n

    assert "handler" in str(refused.value)


@given(st.dictionaries(st.sampled_from([*FunctionOptions.__annotations__, "other"]), st.from_type(object)))
def test_options_are_honoured_or_refused(options: dict[str, Any]) -> None:
    """Any value of any option either makes fields of a spec within their ranges, or is a SpecError."""
    try:
        fields = read_options(options)
    except SpecError:
        return
    spec = FunctionSpec(**({"name": "f", "entry": "f:f"} | fields))
    assert len(fields) == len(options)
    assert spec.memory_bytes >= 2**20
    assert spec.timeout_s > 0
    assert 0 <= spec.scale[0] <= spec.scale[1]
