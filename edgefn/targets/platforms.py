"""The Python platforms of wheels: which wheel tags fit one, and how its markers evaluate.

Pure. A platform is written as in wheels' names: manylinux_2_28_x86_64 is glibc 2.28 or later on x86-64.

Source: PEP 600 (manylinux), PEP 656 (musllinux), PEP 508 (markers).
"""

from __future__ import annotations

import re

from edgefn.errors import SpecError

_PLATFORM = re.compile(r"(manylinux_2|musllinux_1)_(\d{1,3})_(x86_64|aarch64|armv7l|riscv64|i686|ppc64le|s390x)")
_PYTHON = re.compile(r"3\.(\d{1,2})")
# PEP 600: the names that these had before.
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST_PYTHON = 11


def check_platform(platform: str, *, what: str = "platform") -> str:
    """Return `platform` if wheels can be resolved for it. Raise SpecError that names `what`."""
    if not _PLATFORM.fullmatch(platform):
        raise SpecError(
            f"{what} is {platform!r}: write manylinux_2_<glibc's minor version>_<machine>, "
            "e.g. manylinux_2_28_x86_64 or manylinux_2_28_aarch64, or musllinux_1_2_<machine>"
        )
    return platform


def check_python(python: str, *, what: str = "python") -> str:
    """Return `python` if it is a version that a box can run. Raise SpecError that names `what`."""
    match = _PYTHON.fullmatch(python)
    if match is None or int(match[1]) < _OLDEST_PYTHON:
        raise SpecError(f'{what} is {python!r}: write the box\'s Python, 3.{_OLDEST_PYTHON} or later, e.g. "3.11"')
    return python


def platform_tags(platform: str) -> tuple[str, ...]:
    """List the platform tags of wheels that run on `platform`, best first.

    Wheels for "any" run besides.
    """
    match = _PLATFORM.fullmatch(check_platform(platform))
    assert match is not None
    family, newest, machine = match[1], int(match[2]), match[3]
    tags: list[str] = []
    for minor in range(newest, 0, -1):
        tags.append(f"{family}_{minor}_{machine}")
        if family == "manylinux_2" and minor in _LEGACY:
            tags.append(f"{_LEGACY[minor]}_{machine}")
    return tuple(tags)


def marker_environment(python: str, platform: str) -> dict[str, str]:
    """Return the values of PEP 508 markers on a box of that Python and platform."""
    match = _PLATFORM.fullmatch(check_platform(platform))
    assert match is not None
    return {
        "extra": "",
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": match[3],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{check_python(python)}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
