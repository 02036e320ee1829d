"""docs/tutorial.md, followed word for word in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.deadline import eventually

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 500.0


class Step(NamedTuple):
    """A file to write, or a command with the lines that its output holds."""

    file: str = ""
    text: str = ""
    command: str = ""
    expected: tuple[str, ...] = ()


def steps(page: str) -> Iterator[Step]:
    """Yield what the page has its reader do, in order."""
    for kind, text in BLOCK.findall(page):
        if kind == "python":
            yield Step(file=text.partition("\n")[0].removeprefix("# "), text=text)
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield Step(command=command, expected=tuple(lines))


STEPS = list(steps(PAGE))


def test_each_file_is_python_and_the_page_reads_as_steps() -> None:
    """What is written compiles; the test of all of it, with a build and a box, belongs to `make test-long`."""
    files = [step for step in STEPS if step.file]
    assert [step.file for step in files] == [
        "notebook.py",
        "find_shape/find_shape.py",
        "find_shape/test_find_shape.py",
    ]
    for step in files:
        compile(step.text, step.file, "exec")
    assert {step.command.split()[0] for step in STEPS if step.command} == {
        "python",
        "edgefn",
        "mv",
        "rm",
        "pytest",
        "curl",
    }


@pytest.mark.long
@pytest.mark.needs_torch
@pytest.mark.timeout(600)
def test_the_tutorial_is_right_word_for_word(tmp_path: Path) -> None:
    """Each command leaves with 0, and says what the page says; the box has a port and a home of its own."""
    tools, folder, home = tmp_path / "bin", tmp_path / "work", tmp_path / "home"
    tools.mkdir()
    folder.mkdir()
    for name, module in {"edgefn": "edgefn_cli", "pytest": "pytest -p no:cacheprovider"}.items():
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (tools / name).chmod(0o755)
    (tools / "python").symlink_to(sys.executable)
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "EDGEFN_HOME": str(home),
        "EDGEFN_PORT": "0",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    environment.pop("EDGEFN_BOX", None)
    box: subprocess.Popen[bytes] | None = None
    try:
        for step in STEPS:
            if step.file:
                (folder / step.file).write_text(step.text, encoding="utf-8")
            elif step.command.endswith(" &"):
                box = subprocess.Popen(
                    step.command.removesuffix(" &").split(),
                    executable=str(tools / "edgefn"),
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                eventually("the box is there", (home / "run" / "box.json").exists, seconds=60)
            else:
                _run(step, folder, environment, home)
    finally:
        if box is not None:
            box.terminate()
            box.wait(30)


def _run(step: Step, folder: Path, environment: dict[str, str], home: Path) -> None:
    command = step.command
    if ":8080/" in command:
        about = (home / "run" / "box.json").read_text()
        command = command.replace("http://127.0.0.1:8080", re.findall(r"http://127\.0\.0\.1:\d+", about)[0])
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}\n{said}"
    for line in step.expected:
        assert line in re.sub(r'": "', '":"', said), f"{command}\n{said}"
