"""A function that asks for a device is deployed only where it can have it, and is told why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import pytest

from edgefn.bundle.config import BundleConfig
from edgefn.errors import DeploymentRefused
from edgefn.spec import FunctionSpec
from edgefn_runtime.deployment import compatibility
from edgefn_runtime.deployment.devices import lacking


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
    assert "no character device" in lacking(["/dev/shm"])


def test_a_device_of_roots_alone_is_refused_until_it_has_a_group(node: str) -> None:
    """A function is never root, nor in root's group."""
    assert f"{node} is for user 0 and group 0 (mode 0600) alone: give it a group" in lacking([node])
    os.chmod(node, 0o660)
    assert "alone" in lacking([node])
    os.chown(node, 0, 64_999)
    assert lacking([node]) == ""
