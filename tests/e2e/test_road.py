"""The whole road by the commands a user types: deploy, invoke, curl, list, status, logs, stop, invoke, remove."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.box import RunningBox
from tests.e2e.bundles import EXAMPLES, REPOSITORY, Bundles

Cli = Callable[..., str]

CAT_WORDS = ("cat", "tabby", "lynx", "Egyptian")


@pytest.fixture(scope="module")
def own_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """A box on which nothing is deployed yet."""
    with RunningBox(tmp_path_factory.mktemp("road") / "box") as running:
        yield running


@pytest.fixture
def edgefn(own_box: RunningBox) -> Cli:
    """Runs the `edgefn` command as a user of that box; returns what it printed."""
    environment = os.environ | {"EDGEFN_BOX": own_box.url, "EDGEFN_HOME": str(own_box.home), "NO_COLOR": "1"}

    def run(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "edgefn_cli", *arguments]
        done = subprocess.run(
            command,
            check=False,
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"edgefn {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def photo() -> Path:
    """The cat that comes with classify_image."""
    return EXAMPLES / "classify_image" / "samples" / "cat.jpg"


@pytest.mark.needs_torch
@pytest.mark.timeout(300)
def test_the_whole_road(own_box: RunningBox, edgefn: Cli, photo: Path, tool: Callable[[str], str]) -> None:
    """A real classifier goes from its folder to an answer, is looked at, stopped, woken and removed."""
    shown = json.loads(edgefn("deploy", str(EXAMPLES / "classify_image"), "--json"))
    assert "classify_image" in json.dumps(shown)

    assert_is_a_cat(json.loads(edgefn("invoke", "classify_image", "--file", str(photo))))
    assert_is_a_cat(json.loads(curl(tool("curl"), own_box.url, photo)))

    (listed,) = json.loads(edgefn("list", "--json"))["functions"]
    assert listed["name"] == "classify_image"
    status = json.loads(edgefn("status", "classify_image", "--json"))
    assert status["state"] == "serving"
    assert status["requests"] == 2
    (artifact,) = status["artifacts"]
    assert artifact["target"] == "portable/fp32"
    assert artifact["max_error"] is not None, "no proof on the golden samples is shown"
    edgefn("logs", "classify_image")

    edgefn("stop", "classify_image")
    stopped = own_box.status("classify_image")
    assert (stopped.state, stopped.instances, stopped.template) == ("idle", [], None)
    assert_is_a_cat(json.loads(edgefn("invoke", "classify_image", "--file", str(photo))))

    again = json.loads(edgefn("deploy", str(EXAMPLES / "classify_image"), "--json"))
    assert revision_in(again) == revision_in(shown), "the same sources gave another revision"
    edgefn("remove", "classify_image", "--yes")
    assert json.loads(edgefn("list", "--json"))["functions"] == []
    edgefn("invoke", "classify_image", "--file", str(photo), code=6)


def curl(command: str, url: str, photo: Path) -> bytes:
    arguments = ["--data-binary", f"@{photo}", "-H", "content-type: image/jpeg", f"{url}/fn/classify_image"]
    return subprocess.run([command, "-sS", "--fail", *arguments], capture_output=True, check=True).stdout


def assert_is_a_cat(labels: Any) -> None:
    """The best label is a cat's, by its English name."""
    best = json.dumps(labels[0])
    assert any(word in best for word in CAT_WORDS), best


def revision_in(shown: Any) -> str:
    """The digest in what `edgefn deploy --json` printed."""
    (deployed,) = shown["deployed"]
    return str(deployed["revision"])


@pytest.mark.needs_torch
def test_json_in_and_json_out(own_box: RunningBox, edgefn: Cli) -> None:
    """`functions/echo` takes {"n": 1} and gives {"n": 2}, as the README says."""
    edgefn("deploy", str(EXAMPLES / "echo"))
    assert json.loads(edgefn("invoke", "echo", "--json", '{"n": 1}')) == {"n": 2}
    assert own_box.call("echo", n=1) == {"n": 2}


@pytest.mark.needs_torch
@pytest.mark.timeout(300)
def test_real_digits_are_read(own_box: RunningBox, edgefn: Cli, bundles: Bundles) -> None:
    """`functions/read_digits`, trained at build, reads the scans that it ships."""
    own_box.deploy(bundles.of("read_digits"))
    samples = sorted((EXAMPLES / "read_digits" / "samples").glob("*.png"))
    assert samples
    for sample in samples[:3]:
        assert json.loads(edgefn("invoke", "read_digits", "--file", str(sample)))["digit"] == int(sample.stem)
