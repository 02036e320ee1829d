"""Hardware profiles and platforms: what can be built for, and nothing else."""

from __future__ import annotations

import pytest

from edgefn.errors import SpecError
from edgefn.targets.platforms import check_python, marker_environment, platform_tags
from edgefn.targets.profiles import profiles, target, targets


def test_every_profile_reads() -> None:
    """Each profile's file is right, and its backend is one that there is."""
    assert "portable" in profiles()
    for profile in profiles().values():
        assert profile.description
        for runtime in profile.runtimes:
            assert runtime.precisions


def test_a_target_is_a_profile_and_a_precision() -> None:
    """A target by its name says which backend lowers for it."""
    found = target("portable/fp32")
    assert (str(found), found.profile, found.precision, found.backend) == (
        "portable/fp32",
        "portable",
        "fp32",
        "onnxruntime",
    )
    assert {"portable/fp32", "x86-64-v3/int8", "x86-64-v3/int8@openvino"} <= set(targets())


@pytest.mark.parametrize("name", ["portable", "portable/int8", "", "Portable/fp32", "x/../portable/fp32"])
def test_unknown_targets(name: str) -> None:
    """A target that there is none of is an error that names the nearest, or says where they are listed."""
    with pytest.raises(SpecError, match=r"is not known; (did you mean|see `edgefn targets`)"):
        target(name)


def test_platform_tags() -> None:
    """A wheel for an older glibc runs on a newer one, under the old names too; never the other way round."""
    tags = platform_tags("manylinux_2_28_x86_64")
    assert tags[0] == "manylinux_2_28_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"} <= set(tags)
    assert "manylinux_2_29_x86_64" not in tags
    assert platform_tags("musllinux_1_2_aarch64") == ("musllinux_1_2_aarch64", "musllinux_1_1_aarch64")


@pytest.mark.parametrize("platform", ["linux_x86_64", "win_amd64", "any", "manylinux_2_28", "manylinux2014_x86_64", ""])
def test_platforms_that_are_none(platform: str) -> None:
    """Only platforms that say which libc they need are taken."""
    with pytest.raises(SpecError, match="manylinux_2_28_x86_64"):
        platform_tags(platform)


@pytest.mark.parametrize("python", ["3", "3.10", "2.7", "3.11.4", "py311", ""])
def test_pythons_that_are_none(python: str) -> None:
    """A box needs Python 3.11 or later, written with its minor version."""
    with pytest.raises(SpecError, match="write the box's Python"):
        check_python(python)


def test_markers_see_the_box() -> None:
    """The environment of the markers is the box's, not the build machine's."""
    environment = marker_environment("3.13", "manylinux_2_28_aarch64")
    assert (environment["python_version"], environment["platform_machine"]) == ("3.13", "aarch64")
