"""The echo function, called as a plain function and through its signature, as a box calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from echo import echo

from edgefn import InputError
from edgefn.codec.request.signature import Request
from edgefn.codec.result.results import encode

SAMPLE = Path(__file__).parent / "samples" / "one.json"


def test_is_an_ordinary_function() -> None:
    """Calling it needs no box and no request."""
    assert echo(1) == {"n": 2}


def test_answers_the_sample_request() -> None:
    """The sample's body comes out as the README says."""
    arguments = echo.signature.decode(Request("application/json", SAMPLE.read_bytes()))
    assert encode(echo(**arguments), echo.signature.result) == ("application/json", b'{"n":2}')


@pytest.mark.parametrize("body", [b"{}", b'{"n": "one"}', b'{"n": 1.5}', b'{"n": null}'])
def test_names_the_field_of_a_bad_request(body: bytes) -> None:
    """A number that is missing or of another type is refused, and the message names n."""
    with pytest.raises(InputError, match=r"^n: "):
        echo.signature.decode(Request("application/json", body))
