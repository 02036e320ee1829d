"""X-Request-Timeout: a decimal number of seconds above 0, and nothing else."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import InputError
from edgefn_runtime.gateway.timeout import PATTERN, request_timeout_s


@given(st.decimals(min_value="0.000000001", max_value=999_999_999, places=9))
def test_seconds_come_out_as_they_were_written(seconds: object) -> None:
    """Any decimal above 0, with spaces around it or not."""
    assert request_timeout_s(f"{seconds:f}".encode()) == float(str(seconds))
    assert request_timeout_s(f" {seconds:f}\t".encode()) == float(str(seconds))


def test_no_header_is_no_bound() -> None:
    """The function's timeout alone holds."""
    assert request_timeout_s(None) == math.inf


@given(st.binary(max_size=60))
def test_anything_else_is_a_mistake_that_is_explained(value: bytes) -> None:
    """Whatever bytes come: a finite time above 0, or an error that names the header."""
    try:
        assert 0 < request_timeout_s(value) < math.inf
        assert re.match(PATTERN, value.strip().decode())
    except InputError as error:
        assert error.field == "X-Request-Timeout"


@pytest.mark.parametrize(
    "value", [b"", b"0", b"0.0", b"-1", b"+1", b"nan", b"inf", b"1e3", b"1_0", b".", b"1.", b"1 2"]
)
def test_what_is_no_time(value: bytes) -> None:
    """Python would take most of these for a number."""
    with pytest.raises(InputError, match=r"X-Request-Timeout: .* e\.g\. 0\.25"):
        request_timeout_s(value)
