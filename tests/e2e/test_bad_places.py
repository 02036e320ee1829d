"""Places where a box cannot run: a port in use, a home that cannot be used, a full disk. One line says so."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.box import Refused, RunningBox, is_root
from tests.e2e.bundles import Bundles


def refused_start(home: Path, port: int = 0) -> tuple[int, str]:
    """Exit code and last line of a box that cannot start."""
    command = [sys.executable, "-m", "edgefn_runtime", "--home", str(home), "--port", str(port)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_a_port_in_use(tmp_path: Path) -> None:
    """Exit code 11, and the line names the port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, line = refused_start(tmp_path / "box", port)
    assert code == 11
    assert str(port) in line


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    """Exit code 10, and the line names the home."""
    home = tmp_path / "box"
    home.write_text("not a directory")
    code, line = refused_start(home)
    assert code == 10
    assert str(home) in line


def test_a_home_that_cannot_be_written() -> None:
    """Exit code 10 where no directory can be made, for root too: /proc takes none."""
    code, line = refused_start(Path("/proc/edgefn"))
    assert code == 10
    assert "/proc/edgefn" in line


def test_a_home_that_another_box_has(box: RunningBox) -> None:
    """Exit code 10: two boxes never share a home, and the first one goes on."""
    code, line = refused_start(box.home)
    assert code == 10
    assert str(box.home) in line
    assert box.http.get("/readyz").status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 6 MB."""
    if not is_root() or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full(small_disk: Path, bundles: Bundles) -> None:
    """507 before the disk is filled; what was deployed goes on, and small things can still be deployed after."""
    with RunningBox(small_disk / "box") as box:
        box.log = small_disk.with_suffix(".log")
        box.deploy(bundles.of("brief"))
        code = f"from edgefn import edge_function\n\nbig = '{'x' * 8_000_000}'\n"
        with pytest.raises(Refused) as refused:
            box.deploy(bundles.with_code("brief", code, title="big"))
        assert refused.value.problem.status == 507, refused.value.problem
        assert refused.value.problem.error == "DiskFull"
        assert isinstance(box.call("brief"), int)
        box.deploy(bundles.of("slow"))
        assert box.call("slow", seconds=0)


def test_a_box_starts_on_a_disk_that_is_full(small_disk: Path, bundles: Bundles) -> None:
    """It did not, so that a full disk took all functions at the next start. They need no room."""
    with RunningBox(small_disk / "box") as box:
        box.log = small_disk.with_suffix(".log")
        box.deploy(bundles.of("brief"))
    descriptor = os.open(small_disk / "fill", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)
    again = RunningBox(small_disk / "box", wait=False)
    again.log = small_disk.with_suffix(".log")
    with again:
        again.until_words("listening on http://")
        url = re.findall(r"listening on (http://\S+)", again.words())[-1]
        answer = httpx.get(f"{url}/fn/brief", timeout=30.0)
        assert (answer.status_code, answer.text.isdigit()) == (200, True)
        assert "nothing can be changed until space is freed" in again.words()
        assert "Traceback" not in again.words()
