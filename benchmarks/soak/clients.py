"""Clients that cost little: one coroutine and one connection each, HTTP/1.1 as far as the box's answers need it.

None asks twice for one request: what has no answer is lost, and counted.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator

from benchmarks.soak.requests import Exchange
from tests.e2e.box import RunningBox

PATIENCE_S = 60.0
_NUMBERS = re.compile(r"\d+(\.\d+)?")


class Tally:
    """What came of the requests so far."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.lost: list[str] = []
        self.causes: Counter[str] = Counter()

    def count(self, exchange: Exchange, status: int, body: bytes) -> None:
        """One answer: right, wrong, or an error with a cause."""
        if status != 200:
            self.causes[f"{status}: {_cause(exchange, body)}"] += 1
        elif body == exchange.answer:
            self.right[exchange.function] += 1
        else:
            self.wrong.append(f"{exchange.function}: {body[:200]!r} instead of {exchange.answer[:200]!r}")


def _cause(exchange: Exchange, body: bytes) -> str:
    """The problem's detail without what differs from one to the next."""
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError):
        return f"no problem+json: {body[:100]!r}"
    return _NUMBERS.sub("N", detail.partition(";")[0].replace(exchange.function, "F"))


async def run(
    box: RunningBox, exchanges: Iterator[Exchange], tally: Tally, requests: int, until: float, crowd: int
) -> None:
    """`crowd` clients have asked `requests` in all, or the loop's clock is past `until`."""
    host, _, port = box.url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()

    async def client() -> None:
        connection: Connection | None = None
        while tally.asked.total() < requests and loop.time() < until:
            exchange = next(exchanges)
            tally.asked[exchange.function] += 1
            try:
                connection = connection or Connection(*await asyncio.open_connection(host, int(port), limit=2**20))
                status, body, goes_on = await asyncio.wait_for(connection.ask(exchange.request), PATIENCE_S)
            except (OSError, EOFError, ValueError) as error:
                tally.lost.append(f"{exchange.function}: {type(error).__name__} {error}")
                goes_on = False
            else:
                tally.count(exchange, status, body)
            if not goes_on and connection is not None:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    await asyncio.gather(*(client() for _ in range(crowd)))


class Connection:
    """One connection to the box."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> tuple[int, bytes, bool]:
        """Status and body of the answer, and whether the connection goes on."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        return int(head[9:12]), body, b"connection: close" not in head

    def close(self) -> None:
        self._writer.close()
