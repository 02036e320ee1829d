"""A home is opened by one box, or refused with a line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgefn.errors import HomeError
from edgefn_runtime.store.home import Home
from tests.runtime.store.faults import FaultyDisk, PowerCut


def test_first_start_makes_everything(tmp_path: Path) -> None:
    """A home that was not there is there, for its owner alone, with a token of 32 random bytes."""
    home = Home(tmp_path / "state" / "edgefn")
    assert home.path.stat().st_mode & 0o777 == 0o700
    for folder in (home.blobs, home.bundles, home.finished, home.logs, home.run):
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert len(home.token) >= 43
    assert (home.path / "token").read_text().strip() == home.token
    assert (home.path / "token").stat().st_mode & 0o777 == 0o600
    home.close()


def test_a_home_at_the_same_path_is_another(tmp_path: Path) -> None:
    """As two containers have one: their functions are not to begin with the same users."""
    found = set()
    for name in ("one", "two", "three"):
        home = Home(tmp_path / "home")
        found.add(home.identity)
        home.close()
        (tmp_path / "home").rename(tmp_path / name)
    assert len(found) == 3


def test_token_stays(tmp_path: Path) -> None:
    """The next start has the same token, and closes a token file that others could read."""
    home = Home(tmp_path)
    home.close()
    (tmp_path / "token").chmod(0o644)
    again = Home(tmp_path)
    assert again.token == home.token
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    again.close()


@pytest.mark.parametrize("text", ["", "short", "\xff" * 50])
def test_weak_token_is_replaced(tmp_path: Path, text: str) -> None:
    """A token file that was torn or typed does not leave the admin API open."""
    (tmp_path / "token").write_text(text, encoding="latin-1")
    home = Home(tmp_path)
    assert len(home.token) >= 43
    home.close()


def test_power_cut_at_first_start(tmp_path: Path) -> None:
    """After a power cut at any operation of the first start, the second one is as if it were the first."""
    for at in range(1, 20):
        disk = FaultyDisk()
        disk.arm(at, "cut after")
        try:
            Home(tmp_path / str(at), disk).close()
        except PowerCut:
            again = Home(tmp_path / str(at))
            assert len(again.token) >= 43
            again.close()
        else:
            assert len(disk.operations) == at - 1
            return
    pytest.fail("the first start takes more operations than this test knows")


def test_live_box_is_named(tmp_path: Path) -> None:
    """A home that a live box has open is refused with its pid, and is free as soon as that box dies."""
    script = (
        "import sys, pathlib; from edgefn_runtime.store.home import Home; "
        "home = Home(pathlib.Path(sys.argv[1])); print(home.token, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as box:
        assert box.stdout is not None
        token = box.stdout.readline().decode().strip()
        with pytest.raises(HomeError, match=rf"pid {box.pid}\) uses .*: stop it"):
            Home(tmp_path)
        box.kill()
    home = Home(tmp_path)
    assert home.token == token
    home.close()


def test_file_is_not_a_home(tmp_path: Path) -> None:
    """A path that is a file, or below one, is refused."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(HomeError, match="not a directory: choose another"):
            Home(path)


@pytest.mark.parametrize("name", ["logs", "bundles", "run"])
def test_what_is_no_folder_in_a_home_is_named(tmp_path: Path, name: str) -> None:
    """It, and not the home, is to be moved away."""
    Home(tmp_path / "home").close()
    (tmp_path / "home" / name).rmdir()
    (tmp_path / "home" / name).write_text("")
    with pytest.raises(HomeError, match=rf"home/{name} is not a directory"):
        Home(tmp_path / "home")


def test_unwritable_is_refused(tmp_path: Path) -> None:
    """A home that this user cannot write is refused in one line."""
    if os.geteuid() == 0:
        path = Path("/proc/edgefn")  # where even root makes no folder
    else:
        tmp_path.chmod(0o500)
        path = tmp_path / "home"
    with pytest.raises(HomeError, match="this user cannot use") as caught:
        Home(path)
    assert "\n" not in str(caught.value)


def test_secrets_are_opened_by_whatever_name_the_home_has(tmp_path: Path) -> None:
    """The key lies beside the home itself: a box that is given a link to it, or its own path, finds the same one."""
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "home")
    (tmp_path / "home").mkdir(mode=0o700)
    by_link = Home(link)
    by_link.keys.mkdir(mode=0o700)
    by_link.close()
    by_path = Home(tmp_path / "home")
    assert by_path.keys == by_link.keys == tmp_path / "home-keys"
    by_path.close()


def test_a_key_that_lies_beside_a_link_stays_there(tmp_path: Path) -> None:
    """A box of before put it there: it would open none of its secrets without it."""
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    (tmp_path / "home").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "home")
    (tmp_path / "elsewhere" / "link-keys").mkdir()
    home = Home(link)
    assert home.keys == tmp_path / "elsewhere" / "link-keys"
    home.close()
