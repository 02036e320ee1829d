"""Accept: the forms on offer that a client takes, in its order (RFC 9110, 12.5.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edgefn.codec.media_types import VND_MSGPACK, X_MSGPACK, split_header

ALIASES = frozenset({X_MSGPACK, VND_MSGPACK})
"""Other names of a form on offer. They are used only for a client that writes them; no wildcard means them."""


class Ranking(NamedTuple):
    """What an Accept header says of the offers.

    wanted     those that it accepts, the best first; of equal quality in the order on offer
    unnamed    those that no range of it matches; it excludes all others with q=0
    """

    wanted: tuple[str, ...]
    unnamed: tuple[str, ...]


def ranking(accept: str, offers: tuple[str, ...]) -> Ranking:
    """Rank `offers` by the header's value; all are wanted where it is empty."""
    ranges = _ranges(accept) or {"*/*": 1.0}
    qualities = {offer: _quality(offer, ranges) for offer in offers}
    wanted = sorted((offer for offer in offers if qualities[offer]), key=lambda offer: -(qualities[offer] or 0.0))
    unnamed = (offer for offer in offers if qualities[offer] is None and offer not in ALIASES)
    return Ranking(tuple(wanted), tuple(unnamed))


def _quality(offer: str, ranges: Mapping[str, float]) -> float | None:
    """Return the quality of the most specific range that matches, or None."""
    patterns = (offer,) if offer in ALIASES else (offer, offer.partition("/")[0] + "/*", "*/*")
    return next((ranges[pattern] for pattern in patterns if pattern in ranges), None)


def _ranges(accept: str) -> dict[str, float]:
    """Return the quality of each media range; of one that is written twice, the first."""
    return dict(reversed([_media_range(text) for text in split_header(accept, ",") if text.strip()]))


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = split_header(text, ";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            quality = _number(value.strip())
    return name.strip().lower(), quality


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
