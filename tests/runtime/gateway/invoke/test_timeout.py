"""X-Request-Timeout: a decimal number of seconds above 0, and nothing else."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import InputError
from edgefn_runtime.gateway.invoke.timeout import PATTERN, request_timeout_s


@given(st.decimals(min_value="0.000000001", max_value=999_999_999, places=9))
def test_seconds_come_out_as_they_were_written(seconds: object) -> None:
    """Any decimal above 0, with spaces around it or not."""
    assert request_timeout_s(f"{seconds:f}".encode()) == float(str(seconds))
    assert request_timeout_s(f" {seconds:f}\t".encode()) == float(str(seconds))


def test_no_header_is_no_bound() -> None:
    """The function's timeout alone holds."""
    assert request_timeout_s(None) == math.inf


@given(st.binary(max_size=60) | st.text("0123456789.-+eE_ ", max_size=20).map(str.encode))
def test_anything_else_is_a_mistake_that_is_explained(value: bytes) -> None:
    """Whatever bytes come: a finite time above 0 where the documented pattern fits, else an error of the header's.

    Leading zeros are read, and not documented.
    """
    told = value.strip()
    plain = re.fullmatch(rb"[0-9]{1,9}(\.[0-9]{1,9})?", told)
    assert plain or not re.fullmatch(PATTERN.encode(), told)
    if plain and float(told):
        assert 0 < request_timeout_s(value) < math.inf
    else:
        with pytest.raises(InputError) as refused:
            request_timeout_s(value)
        assert refused.value.field == "X-Request-Timeout"


@pytest.mark.parametrize("value", ["", "0", "0.0", "-1", "+1", "nan", "inf", "1e3", "1_0", ".", "1.", "1 2"])
def test_what_is_no_time(value: str) -> None:
    """Python would take most of these for a number."""
    with pytest.raises(InputError, match=r"X-Request-Timeout: .* e\.g\. 0\.25"):
        request_timeout_s(value.encode())
