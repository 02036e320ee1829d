"""The tests hold what users install: the built wheel, not the folder that it was built from."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import edgefn
import edgefn_cli
import edgefn_runtime

under_make_test = pytest.mark.skipif(
    os.environ.get("EDGEFN_TEST_WHEEL") != "1", reason="only `make test` installs the wheel"
)


@under_make_test
@pytest.mark.parametrize("package", [edgefn, edgefn_runtime, edgefn_cli], ids=lambda package: package.__name__)
def test_the_packages_under_test_are_the_wheels(package: object) -> None:
    """Under `make test` each package is imported from site-packages."""
    assert Path(str(vars(package)["__file__"])).is_relative_to(sysconfig.get_path("purelib"))


@under_make_test
def test_so_are_those_of_the_processes_that_tests_start(tmp_path: Path) -> None:
    """A child of the tests imports the wheel too, from whichever folder it is started."""
    code = "import edgefn, edgefn_runtime; print(edgefn.__file__); print(edgefn_runtime.__file__)"
    for folder in (Path(__file__).parents[2], tmp_path):
        run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
        for line in run.stdout.split():
            assert Path(line).is_relative_to(sysconfig.get_path("purelib"))


def test_the_wheel_is_typed() -> None:
    """A user's mypy finds the types: each package carries its py.typed."""
    for package in (edgefn, edgefn_runtime, edgefn_cli):
        assert (Path(str(package.__file__)).parent / "py.typed").is_file()
