"""A function's requirements.txt, as far as edgefn must understand it; pip reads the rest.

Pure but for reading the one file. Knows which lines name something that the box provides, so that the message
about a clash can name the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.errors import BuildError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_COMMENT = re.compile(r"(^|\s)#.*$")
_SOURCE = re.compile(r"(-e|--editable)\b|(.*@\s*)?(git|hg|svn|bzr)\+")
_OPTION = re.compile(r"\s--[a-z-]+[ =].*$")


@dataclass(frozen=True)
class RequirementLine:
    """One logical line: its number in the file, its text, and its requirement when it is PEP 508."""

    number: int
    text: str
    requirement: Requirement | None


def read_lines(path: Path) -> list[RequirementLine]:
    """Read the lines of requirements.txt without blank ones and comments. Raise BuildError."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"cannot read {path}: {error}") from None
    lines: list[RequirementLine] = []
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        pending += _COMMENT.sub("", line.removesuffix("\\"))
        if not line.endswith("\\"):
            lines += [RequirementLine(start, pending.strip(), _requirement(pending))] if pending.strip() else []
            pending = ""
    return lines


def _requirement(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(_OPTION.sub("", text).strip())
    except InvalidRequirement:
        return None


def check_wheels(lines: list[RequirementLine], path: Path) -> None:
    """Raise BuildError for a line whose package comes as source.

    It would be built for this machine, not for the box.
    """
    for line in lines:
        if _SOURCE.match(line.text):
            raise BuildError(
                f"{path}:{line.number}: {line.text!r} is a source package, but a function takes only wheels: build "
                "one with `pip wheel` and name its file or set PIP_FIND_LINKS"
            )


def check_provided(lines: list[RequirementLine], provided: Mapping[str, str], path: Path) -> None:
    """Raise BuildError for a line that asks for another version or extra of a provided distribution."""
    from packaging.utils import canonicalize_name

    for line in lines:
        name = canonicalize_name(line.requirement.name) if line.requirement else ""
        if line.requirement is None or name not in provided:
            continue
        here = f"{path}:{line.number}: {line.text!r}"
        has = f"the box itself provides {name} {provided[name]}, with which its own parts were built"
        if line.requirement.url or "--hash" in line.text:
            raise BuildError(f"{here} requires one file, but {has}: require the name, or remove the line")
        if line.requirement.extras:
            raise BuildError(f"{here} requires extras, but {has}: list the requirements of the extra instead")
        if not line.requirement.specifier.contains(provided[name], prereleases=True):
            raise BuildError(f"{here} excludes the box's own version: {has}; widen the range, or remove the line")
