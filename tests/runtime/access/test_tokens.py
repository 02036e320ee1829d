"""Tokens of a box: made, known by their hashes, used at their rate, and gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import InputError, TokenNotFound
from edgefn_runtime.access.rate import Bucket
from edgefn_runtime.access.scopes import checked, opens_admin, opens_function, opens_status
from edgefn_runtime.access.slowdown import LONGEST_S, MAX_ADDRESSES, Slowdown
from edgefn_runtime.access.tokens import FIRST, Tokens
from edgefn_runtime.store.database import Database
from edgefn_runtime.store.tokens import TokenTable

HOME = "t" * 43


class Known:
    """The tokens of a database, as a box has them; opened again they are those that were kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = HOME
        self.open()

    def open(self) -> None:
        self.tokens = Tokens(self.first, TokenTable(Database(self.folder / "box.db")), self._keep)

    def _keep(self, value: str) -> None:
        self.first = value


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path)


def test_a_token_is_known_by_its_hash_alone(known: Known, tmp_path: Path) -> None:
    """Its value is in the answer that made it and nowhere on the disk; after a restart it opens what it opened."""
    token, value = asyncio.run(known.tokens.create("camera", ["invoke:classify", "status"], 20.0))
    assert value.startswith("edgefn_")
    assert len(value) >= 43
    assert token.row.scopes == ("invoke:classify", "status")
    assert all(value.encode() not in file.read_bytes() for file in tmp_path.glob("box.db*"))
    known.open()
    again = known.tokens.find(value.encode())
    assert again is not None
    assert (again.row.name, again.row.rate) == ("camera", 20.0)
    assert value not in str(again.info)
    assert known.tokens.find(HOME.encode()) is not None
    assert known.tokens.find(b"") is None
    assert known.tokens.find(value.encode() + b" ") is None


def test_a_rotated_or_revoked_token_opens_nothing(known: Known) -> None:
    """From the moment on that the change is on the disk, and after a restart."""
    _, old = asyncio.run(known.tokens.create("camera", ["admin"], None))
    _, new = asyncio.run(known.tokens.rotate("camera"))
    assert (known.tokens.find(old.encode()), old == new) == (None, False)
    known.open()
    assert known.tokens.find(old.encode()) is None
    assert known.tokens.find(new.encode()) is not None
    asyncio.run(known.tokens.revoke("camera"))
    assert known.tokens.find(new.encode()) is None
    known.open()
    assert known.tokens.find(new.encode()) is None
    with pytest.raises(TokenNotFound, match="camera"):
        asyncio.run(known.tokens.revoke("camera"))


def test_who_holds_a_token_that_goes_is_told(known: Known) -> None:
    """What was begun with it looks there; another token of the name is another one."""

    async def main() -> None:
        token, _ = await known.tokens.create("camera", ["admin"], None)
        again, _ = await known.tokens.rotate("camera")
        assert (token.gone.is_set(), again.gone.is_set()) == (True, False)
        await known.tokens.revoke("camera")
        assert again.gone.is_set()

    asyncio.run(main())


def test_the_homes_own_token_is_rotated_and_never_revoked(known: Known) -> None:
    """It is the first admin token: there is always one, and its file has the new value."""
    _, value = asyncio.run(known.tokens.rotate(FIRST))
    assert known.first == value
    assert known.tokens.find(HOME.encode()) is None
    assert known.tokens.find(value.encode()) is not None
    with pytest.raises(InputError, match="cannot be revoked"):
        asyncio.run(known.tokens.revoke(FIRST))


@pytest.mark.parametrize("name", ["", FIRST, "a b", "../x", "A", "x" * 64, "a\n", "ä"])
def test_a_name_that_is_none(known: Known, name: str) -> None:
    """Names end up in logs and on terminals."""
    with pytest.raises(InputError, match="is not a valid token name"):
        asyncio.run(known.tokens.create(name, ["status"], None))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_rate_that_is_none(known: Known, rate: float) -> None:
    """A rate that would bound nothing, or everything, is refused."""
    with pytest.raises(InputError, match="is out of range"):
        asyncio.run(known.tokens.create("camera", ["status"], rate))


def test_two_tokens_of_a_name_made_at_once_are_one(known: Known) -> None:
    """The second is told; the first one's value goes on to open."""

    async def both() -> list[object]:
        made = [known.tokens.create("camera", ["status"], None) for _ in range(2)]
        return list(await asyncio.gather(*made, return_exceptions=True))

    first, second = asyncio.run(both())
    assert isinstance(first, tuple)
    assert known.tokens.find(first[1].encode()) is first[0]
    assert isinstance(second, InputError)


@pytest.mark.parametrize("scopes", [[], ["root"], ["invoke:"], ["invoke:A"], ["invoke:a b"], ["echo"], ["invoke:*x"]])
def test_a_scope_that_is_none(scopes: list[str]) -> None:
    """A misspelt scope is an error, and never one that opens nothing, or more than was meant."""
    with pytest.raises(InputError):
        checked(scopes)


@pytest.mark.parametrize(
    ("scope", "admin", "status", "echo"),
    [
        ("admin", True, True, True),
        ("status", False, True, False),
        ("invoke:*", False, False, True),
        ("invoke:echo", False, False, True),
        ("invoke:echo_2", False, False, False),
    ],
)
def test_what_a_scope_opens(scope: str, admin: bool, status: bool, echo: bool) -> None:
    """Admin everything, the others one thing each."""
    scopes = checked([scope])
    assert (opens_admin(scopes), opens_status(scopes), opens_function(scopes, "echo")) == (admin, status, echo)


@given(st.floats(0.01, 1000), st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_a_rate_is_never_exceeded(rate: float, pauses: list[float]) -> None:
    """In any span of time no more requests than the rate and one burst, whenever they come; a clock that goes back
    gives nothing away."""
    bucket, now, taken = Bucket(rate), 1000.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        bucket.take(now - 3)
    assert taken <= max(1.0, rate) + rate * (now - 1000.0) + 1e-6


def test_a_bucket_says_when_to_come_again() -> None:
    """At that moment there is a request again."""
    bucket = Bucket(0.5)
    assert bucket.take(0.0)
    assert not bucket.take(0.0)
    assert bucket.wait_s() == 2
    assert not bucket.take(1.9)
    assert bucket.take(2.0)


def test_each_wrong_token_costs_more_time() -> None:
    """Doubling up to a bound, by address; forgotten after a while; the addresses that are kept are bounded."""
    slowdown = Slowdown()
    waits = [slowdown.failed("10.0.0.1", now) for now in range(12)]
    assert waits == sorted(waits)
    assert waits[1] == 2 * waits[0]
    assert waits[-1] == LONGEST_S
    assert slowdown.failed("10.0.0.2", 12) == waits[0]
    assert slowdown.failed("10.0.0.1", 1000) == waits[0]
    for number in range(2 * MAX_ADDRESSES):
        slowdown.failed(str(number), 1000)
    assert len(slowdown._failures) == MAX_ADDRESSES
