"""The owner's socket: who may open it, and that it is there for any home."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from edgefn_cli.boxes.local import reachable
from edgefn_runtime.access.socket import NAME, listening


@pytest.mark.parametrize("depth", [1, 12])
def test_the_socket_is_its_owners_alone(tmp_path: Path, depth: int) -> None:
    """Mode 0600 from the first moment on, at a path of any length; gone afterwards, and a stale one is replaced."""
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * depth)
    folder.mkdir(parents=True)
    (folder / NAME).write_text("left by a box that was killed")
    before = os.umask(0)
    try:
        with listening(folder) as own, socket.socket(socket.AF_UNIX) as client:
            assert (folder / NAME).stat().st_mode & 0o777 == 0o600
            assert own is not None
            client.connect(reachable(folder / NAME))
    finally:
        os.umask(before)
    assert not (folder / NAME).exists()


def test_a_file_system_without_sockets_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The box starts all the same: here below /proc, where nothing can be made."""
    with listening(Path("/proc/self")) as own:
        assert own is None
    assert "cannot create a socket in" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_cannot_open_it(tmp_path: Path) -> None:
    """The mode of the file itself, whatever the folders above it let through."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder != Path("/tmp"):
            folder.chmod(0o755)
    with listening(tmp_path), socket.socket(socket.AF_UNIX) as client:
        os.seteuid(4321)
        try:
            with pytest.raises(PermissionError):
                client.connect(reachable(tmp_path / NAME))
        finally:
            os.seteuid(0)
