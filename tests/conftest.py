"""What tests share: real boxes in temporary homes, and bundles that are built once a session."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles

settings.register_profile("edgefn", deadline=None)  # a busy machine is no fault of a property
settings.load_profile("edgefn")


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """Ctrl-C reaches what tests start, also where the tests themselves were put into the background by a shell.

    A shell starts background jobs with SIGINT ignored, and what is ignored stays so in every child.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Built bundles by function name."""
    base = tmp_path_factory.getbasetemp()
    session = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Bundles(tmp_path_factory.mktemp("bundles"), session / "built")


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """One box for all tests that do it no harm. A test that kills or restarts a box takes `new_box`."""
    with RunningBox(tmp_path_factory.mktemp("shared") / "box") as running:
        yield running


@pytest.fixture
def new_box(tmp_path: Path) -> Iterator[Callable[[], RunningBox]]:
    """Starts boxes of the test's own; all are down when it ends."""
    numbers = itertools.count()
    with ExitStack() as running:
        yield lambda: running.enter_context(RunningBox(tmp_path / f"box-{next(numbers)}"))


@pytest.fixture(scope="session")
def deployed(box: RunningBox, bundles: Bundles) -> Callable[[str], RunningBox]:
    """`deployed("slow")` is the shared box, with the function `slow` on it."""
    there: set[str] = set()

    def deploy(name: str) -> RunningBox:
        if name not in there:
            box.deploy(bundles.of(name))
            there.add(name)
        return box

    return deploy


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """The path of a command from Debian; skips the test where it is missing, and fails it under CI=true."""

    def find(name: str) -> str:
        if found := shutil.which(name):
            return found
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing: `.ci/debian-packages {name}` installs it")
        pytest.skip(f"{name} is missing: sudo apt-get install {name}")

    return find
