"""A function that asks for a device is deployed only where it can have it, and is told why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.bundle.config import BundleConfig
from edgefn.errors import DeploymentRefused
from edgefn.spec import FunctionSpec
from edgefn_runtime.deployment.checks import compatibility
from edgefn_runtime.deployment.checks.devices import lacking


@pytest.fixture
def node() -> Iterator[str]:
    path = f"/dev/edgefn-node-{os.getpid()}"
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except OSError as error:
        pytest.skip(f"no device node can be made here: {error.strerror}")
    yield path
    os.unlink(path)


def test_a_device_that_is_not_there_is_named() -> None:
    """The refusal says which device, of which function, and what to do."""
    config = BundleConfig(function=FunctionSpec("watch", "watch:watch", devices=("/dev/null", "/dev/video99")))
    with pytest.raises(DeploymentRefused, match=r"watch needs a device: this box has no /dev/video99 \(No such file"):
        compatibility.check(config, compatibility.this_machine())


def test_a_device_for_all_may_be_had() -> None:
    """/dev/null and its like; but nothing that is no device."""
    assert lacking(["/dev/null", "/dev/zero"]) == ""
    assert "it is not a character device" in lacking(["/dev/shm"])
    assert "it is not below /dev" in lacking(["/etc/passwd"])


def test_a_device_is_not_found_by_a_link_that_anybody_can_make(tmp_path: Path) -> None:
    """Links in /dev/shm, out of /dev, and of /proc are not followed; those that udev makes within /dev are."""
    loose, own = Path(f"/dev/shm/edgefn-{os.getpid()}"), Path(f"/dev/edgefn-link-{os.getpid()}")
    (tmp_path / "null").symlink_to("/dev/null")
    try:
        loose.symlink_to("/dev/null")
        own.symlink_to("null")
    except OSError as error:
        pytest.skip(f"no link can be made here: {error.strerror}")
    try:
        assert lacking([str(own)]) == ""
        for path in (loose, "/dev/fd/0", f"/dev/../{tmp_path}/null"):
            assert "to a function" in lacking([str(path)]), path
        own.unlink()
        own.symlink_to(tmp_path / "null")
        assert "to a function" in lacking([str(own)])
    finally:
        loose.unlink(missing_ok=True)
        own.unlink(missing_ok=True)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_the_machines_memory_is_no_device(number: int) -> None:
    """/dev/mem, kmem and port under any name, whatever its mode is."""
    path = f"/dev/edgefn-node-{os.getpid()}"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, number))
    except OSError as error:
        pytest.skip(f"no device node can be made here: {error.strerror}")
    try:
        assert "the machine's memory or ports" in lacking([path])
    finally:
        os.unlink(path)


def test_a_device_of_roots_alone_is_refused_until_it_has_a_group(node: str) -> None:
    """A function is never root, nor in root's group."""
    assert f"only user 0 and group 0 (mode 0600) can use {node}: give it a group" in lacking([node])
    os.chmod(node, 0o660)
    assert "only user 0" in lacking([node])
    os.chown(node, 0, 64_999)
    assert lacking([node]) == ""
