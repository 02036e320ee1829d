"""The echo function, called as a plain function and as a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from echo import echo

from edgefn.testing import call

SAMPLE = Path(__file__).parent / "samples" / "one.json"


def test_is_an_ordinary_function() -> None:
    """Calling it needs no box and no request."""
    assert echo(1) == {"n": 2}


def test_answers_the_sample_request() -> None:
    """The sample's body comes out as the README says."""
    answer = call(echo, data=SAMPLE)
    assert (answer.media_type, answer.body) == ("application/json", b'{"n":2}')


@pytest.mark.parametrize("body", [b"{}", b'{"n": "one"}', b'{"n": 1.5}', b'{"n": null}'])
def test_names_the_field_of_a_bad_request(body: bytes) -> None:
    """A number that is missing or of another type is refused, and the message names n."""
    answer = call(echo, data=body, headers={"content-type": "application/json"})
    assert (answer.status, answer.json()["field"]) == (400, "n")
