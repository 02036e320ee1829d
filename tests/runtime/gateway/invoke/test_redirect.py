"""Which paths are moved, and where to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.gateway.invoke.redirect import clean


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        (b"/fn/echo", None),
        (b"/fn/echo/", b"/fn/echo"),
        (b"//fn/echo", b"/fn/echo"),
        (b"///fn///echo//", b"/fn/echo"),
        (b"/fn/", None),
        (b"//fn//", None),
        (b"//evil.example/", None),
        (b"/fn/%2Fecho", None),
        (b"/fn/%65cho", b"/fn/echo"),
        (b"/fn%2Fecho", b"/fn/echo"),
        (b"/%66n/ech%6F", b"/fn/echo"),
        (b"/fn/%0d%0aset-cookie:a", None),
        (b"/fn/%2e%2e", None),
        (b"/admin//functions", None),
        (b"/fn/echo/more/", b"/fn/echo/more"),
    ],
)
def test_only_functions_are_moved(path: bytes, moved: bytes | None) -> None:
    """A slash too many, before the name or behind it, an escape for nothing; never another page or another host."""
    assert clean(path) == moved


@given(st.lists(st.sampled_from(["/", "fn", "a", "//", "%2F", "."]), max_size=8))
def test_a_moved_path_stays(parts: list[str]) -> None:
    """One redirect is enough, and it never names another host."""
    if (moved := clean("".join(parts).encode())) is not None:
        assert clean(moved) is None
        assert moved.startswith(b"/fn/")
