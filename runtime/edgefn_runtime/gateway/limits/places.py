"""Places for connections: how many there are, how many of one address, and the few that are kept.

Health checks and the admin API are what an operator needs when everybody has taken all places. So a connection that
finds none may still ask for these, on one of a few places that are kept for it. Decides and counts, closes nothing.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache

MAX_KEPT = 32
MIN_KEPT = 4
KEPT_PATHS = ("/healthz", "/readyz", "/metrics", "/admin")
"""What a connection without a place may ask for; below /admin a token is wanted."""

_NETWORK_BITS = 64


class Places:
    """`most` connections together, `per_address` of one address."""

    def __init__(self, most: int, per_address: int = 0) -> None:
        self.most = most
        self.per_address = per_address or max(16, most // 8)
        self.kept = min(MAX_KEPT, max(MIN_KEPT, most // 16))
        """Connections beyond `most` that may ask for KEPT_PATHS."""
        self.taken = 0
        self._by_address: Counter[str] = Counter()

    def take(self, address: str) -> str:
        """Give a place to a connection from `address`; return the reason where there is none, else "".

        The address "" is counted for nobody.
        """
        if self.taken >= self.most:
            return f"the box holds its maximum of {self.most} connections; try again"
        if why := self.take_for(address):
            return why
        self.taken += 1
        return ""

    def give_back(self, address: str) -> None:
        """Free a place that `take` gave."""
        self.taken -= 1
        self.give_back_for(address)

    def take_for(self, address: str) -> str:
        """Count a connection, or a request through a proxy, of `address`.

        Returns the reason where it has too many, else "".
        """
        if not address:
            return ""
        if self._by_address[address] >= self.per_address:
            return f"{address} has its maximum of {self.per_address} connections to the box; close some"
        self._by_address[address] += 1
        return ""

    def give_back_for(self, address: str) -> None:
        """Free one that `take_for` counted."""
        if not address:
            return
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]


def may_ask_without(path: str) -> bool:
    """Tell whether a connection without a place may ask for `path`."""
    return path.startswith(KEPT_PATHS)


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """Return the key that connections of `address` are counted under; "" for no address.

    An IPv6 client counts as its network: it has all addresses of that.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
