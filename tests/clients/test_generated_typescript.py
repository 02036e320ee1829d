"""openapi-typescript, unchanged: its types let the calls of tests/clients/samples.py through, and no wrong one."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.samples import SAMPLES, Sample, base64_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.box import RunningBox

pytestmark = pytest.mark.clients

INSTALLED = Path(__file__).parents[2] / ".clients" / "node_modules"
CALLED = [sample for sample in SAMPLES if not isinstance(sample.answer, bytes) and sample.function != "give_image"]

PROGRAM = """\
import createClient from "openapi-fetch";
import type { paths } from "./box.js";

declare const process: { argv: string[] };
const client = createClient<paths>({ baseUrl: process.argv[2] });
const answers: unknown[] = [];
%s
console.log(JSON.stringify(answers));
"""


@pytest.fixture(scope="module")
def project(kinds_box: RunningBox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the box's types as box.ts, and the packages of .clients."""
    if not INSTALLED.exists():
        pytest.fail(f"{INSTALLED} is missing: `make test-clients` makes it")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(INSTALLED)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "openapi.json").write_text(json.dumps(kinds_box.http.get("/openapi.json").json()))
    ran(folder, "openapi-typescript", "openapi.json", "--output", "box.ts", "--default-non-nullable", "false")
    return folder


def ran(folder: Path, *command: str) -> str:
    program = INSTALLED / ".bin" / command[0]
    done = subprocess.run(
        [str(program), *command[1:]], cwd=folder, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def call_of(sample: Sample, item: dict[str, Any]) -> str:
    """Return the call as its author would write it, typed by the document."""
    post = item["post"]
    queried = {one["name"] for one in post.get("parameters", ())}
    given = {name: base64_of(value) for name, value in sample.given.items()}
    options: dict[str, Any] = {}
    if query := {name: value for name, value in given.items() if name in queried}:
        options["params"] = {"query": query}
    if "requestBody" in post:
        inside = {name: value for name, value in given.items() if name not in queried}
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        keyed = "properties" in schema
        if inside or keyed:
            options["body"] = inside if keyed else next(iter(inside.values()))
    answer = f'await client.POST("/fn/{sample.function}", {json.dumps(options)})'
    return f"{{ const {{ data, error }} = {answer}; answers.push(data ?? error ?? null); }}"


def test_every_function_is_called_with_its_types(
    project: Path, kinds_box: RunningBox, tool: Callable[[str], str]
) -> None:
    """tsc --strict takes every call, and each gets the right answer."""
    node = tool("node")
    paths = json.loads((project / "openapi.json").read_text())["paths"]
    calls = [call_of(sample, paths[f"/fn/{sample.function}"]) for sample in CALLED]
    (project / "calls.ts").write_text(PROGRAM % "\n".join(calls))
    ran(project, "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "calls.ts")
    done = subprocess.run(
        [node, "calls.js", kinds_box.url], cwd=project, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    wrong = [
        (sample.function, answer) for sample, answer in zip(CALLED, answers, strict=True) if answer != sample.answer
    ]
    assert not wrong


WRONG = [
    'client.POST("/fn/take_scalars", { body: { count: "2" } });',
    'client.POST("/fn/take_scalars", { body: {} });',
    'client.POST("/fn/take_literal", { body: { value: "slow" } });',
    'client.POST("/fn/take_image_and", { body: { image: "" } });',
    'client.POST("/fn/take_struct", { body: { name: "hall" } });',
    'client.POST("/fn/take_ints", { body: { value: ["one"] } });',
    'client.POST("/fn/nothing_here", {});',
]


def test_wrong_calls_do_not_compile(project: Path) -> None:
    """A wrong type, a missing parameter in body or query, another word, a wrong item, no such function."""
    (project / "wrong.ts").write_text(PROGRAM % "\n".join(WRONG))
    with pytest.raises(AssertionError) as refused:
        ran(project, "tsc", "--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "wrong.ts")
    first = PROGRAM[: PROGRAM.index("%s")].count("\n") + 1
    found = {int(line) for line in re.findall(r"wrong\.ts\((\d+),\d+\): error TS", str(refused.value))}
    assert found == set(range(first, first + len(WRONG))), str(refused.value)
