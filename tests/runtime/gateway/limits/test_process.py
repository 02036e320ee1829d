"""How many connections the box's process may hold."""

from __future__ import annotations

import resource

import pytest

from edgefn_runtime.gateway.limits import process
from edgefn_runtime.gateway.limits.process import MIN_CONNECTIONS, PLAIN_BYTES, TLS_BYTES


@pytest.mark.parametrize("share", [0, 2**26, 2**30, 2**34])
@pytest.mark.parametrize("descriptors", [1024, 65_536, 2**20])
def test_connections_are_within_the_descriptors_and_the_memory(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, share: int
) -> None:
    """A container that allows a million files gives nobody the memory of a million connections."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (descriptors, descriptors))
    monkeypatch.setattr(process, "default_bytes", lambda: share)
    for tls, each in ((False, PLAIN_BYTES), (True, TLS_BYTES)):
        found = process.connections(tls=tls)
        assert found <= descriptors * 3 // 4
        assert found <= MIN_CONNECTIONS or found * each <= share
        assert found >= min(descriptors * 3 // 4, MIN_CONNECTIONS)
