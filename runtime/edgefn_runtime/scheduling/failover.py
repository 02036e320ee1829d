"""When instances that end in a row are blamed on the artifact that they serve, where another can take over."""

from __future__ import annotations

FALL_OVER = 3
"""Fewer than make a function fail (`crashes.LIMIT`): the next artifact is tried before requests are refused."""
