"""deploy/requirements.txt, the lock of a box's packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "deploy" / "requirements.txt").read_text("utf-8")
PINS = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE)}


def test_what_a_box_needs_is_in_it() -> None:
    """Each requirement of edgefn and of its runtime extra, in a version that fits it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["runtime"]):
        wanted = Requirement(text)
        assert PINS[canonicalize_name(wanted.name)] in wanted.specifier, f"{text}: `make lock`"


def test_a_box_runs_what_is_tested() -> None:
    """The versions are those of constraints.txt, with which the tests run."""
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    known = {canonicalize_name(name): version for name, version in tested.items()}
    assert {name: version for name, version in PINS.items() if known.get(name) != version} == {}


def test_each_has_hashes() -> None:
    """pip's --require-hashes wants one of each; of a package with compiled parts there are many."""
    for block in re.split(r"\n(?=\S)", LOCK.partition("\n")[2].strip()):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]
