"""What the handler answers with an artifact is held against what it answers with eager PyTorch, at build."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgefn import edge_function, edge_model, golden, tensor
from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.record import Asked, Reference
from edgefn.bundle import archive
from edgefn.bundle.config import ANSWERS_TYPE, GOLDEN_TYPE, REQUESTS_TYPE
from edgefn.bundle.oci.layout import Layout
from edgefn.compile.answers import reference
from edgefn.compile.answers import travelling as choosing
from edgefn.compile.answers.requests import Sample
from edgefn.compile.cache.cache import Cache
from edgefn.compile.cache.sources import Sources
from edgefn.errors import BuildError, GateError
from edgefn.spec import FunctionSpec
from edgefn_cli.project.samples import travelling
from tests.edgefn.compile.test_compilers import Lab, new_lab

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(400)]

ALARM = """
import numpy as np
from edgefn import edge_function, edge_model, tensor

@edge_model(inputs={"x": tensor("float32", "batch", 1)}, samples="samples/*.json")
def small():
    import torch
    layer = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer

@edge_function
def talk(numbers: list[float]) -> dict[str, bool]:
    return {"alarm": float(small(x=np.array([numbers], np.float32)).max()) > 1.0}
"""
VALUES = (0.2, 0.5, 0.999995, 1.5)
"""One of them lies below the handler's threshold by less than the artifact "near" is off."""


def new_alarm(root: Path, source: str = ALARM) -> Lab:
    """A project whose handler compares the network's answer with a threshold."""
    lab = new_lab(root)
    shutil.rmtree(root / "talk" / "samples")
    (root / "talk" / "samples").mkdir()
    (root / "talk" / "talk.py").write_text(source)
    for value in VALUES:
        (root / "talk" / "samples" / f"{value}.json").write_text(json.dumps([value]))
    return lab


@pytest.fixture(scope="module")
def alarm(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A project that was built with an artifact whose numbers are right and whose answers are not."""
    lab = new_alarm(tmp_path_factory.mktemp("alarm") / "lab")
    lab.outcome = lab.build("near/fp32", "dies/fp32")  # type: ignore[attr-defined]
    return lab


def test_an_artifact_within_its_bound_is_dropped_when_it_answers_otherwise(alarm: Lab) -> None:
    """Numbers off by 1e-5 raise an alarm that eager does not: the artifact is left out, with the pair."""
    outcome = alarm.outcome  # type: ignore[attr-defined]
    row = outcome.rows["near/fp32"]
    assert row["verdict"] == "right"
    assert row["status"] == "dropped"
    assert "the answers of near/fp32 of model small differ from eager PyTorch's: 3 of 4" in row["reason"]
    assert "0.999995.json: alarm: True instead of False (eager {alarm: False}, artifact {alarm: True})" in row["reason"]
    assert "@talk.match" in row["reason"]
    assert (row["answers"]["matched"], row["answers"]["of"], row["answers"]["verdict"]) == (3, 4, "wrong")
    bundle = Layout(alarm.root / "out").open("talk")
    assert [entry.target for entry in bundle.config.artifacts] == ["portable/fp32"]


def test_answers_that_match_are_counted(alarm: Lab) -> None:
    """The report has how many answers match, and what so many show."""
    outcome = alarm.outcome  # type: ignore[attr-defined]
    answers = outcome.rows["portable/fp32"]["answers"]
    assert (answers["matched"], answers["of"], answers["verdict"]) == (4, 4, "right")
    assert answers["shown"] == pytest.approx(0.473, abs=0.001)
    assert outcome.last["report"]["warning"] == ""


def test_an_engine_that_dies_under_the_handler_costs_its_artifact_alone(alarm: Lab) -> None:
    """A crash while the handler runs is told as that; the other artifacts are in the bundle."""
    row = alarm.outcome.rows["dies/fp32"]  # type: ignore[attr-defined]
    assert row["status"] == "killed"
    assert "was killed by SIGSEGV while the handler ran with its artifact" in row["reason"]


def test_the_authors_comparison_decides(alarm: Lab, tmp_path: Path) -> None:
    """With `@talk.match` the author's word counts; only the comparison has changed, so nothing is lowered again."""
    lab = alarm.copy(tmp_path / "lab")
    module = lab.root / "talk" / "talk.py"
    judge = "\n@talk.match\ndef same(expected, actual) -> bool:\n    return set(expected) == set(actual)\n"
    module.write_text(ALARM + judge)
    outcome = lab.build("near/fp32")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.rows["near/fp32"]["answers"]["matched"] == 4
    assert lab.lowered == []
    assert outcome.rows["portable/fp32"]["answers"]["of"] == 4


def test_a_fault_of_the_authors_comparison_ends_the_build_with_its_line(alarm: Lab, tmp_path: Path) -> None:
    """An exception in `match` is the author's to mend: the build says where it was raised."""
    lab = alarm.copy(tmp_path / "lab")
    judge = "\n@talk.match\ndef same(expected, actual):\n    return expected['alert'] == actual['alert']\n"
    (lab.root / "talk" / "talk.py").write_text(ALARM + judge)
    outcome = lab.build()
    assert outcome.exit_code == BuildError.exit_code
    assert "match function same raised KeyError: 'alert' (File " in outcome.last["detail"]
    assert "in same: return expected['alert']" in outcome.last["detail"]


def test_a_handler_that_does_not_repeat_itself_is_not_judged(alarm: Lab, tmp_path: Path) -> None:
    """Chance is seen by running eager twice; the report says that nothing was compared, with the two answers."""
    lab = alarm.copy(tmp_path / "lab")
    source = ALARM.replace("-> dict[str, bool]", "-> dict[str, float]")
    source = source.replace("import numpy", "import random\nimport numpy")
    source = source.replace('return {"alarm":', 'return {"id": random.random(), "alarm":')
    (lab.root / "talk" / "talk.py").write_text(source)
    outcome = lab.build("near/fp32")
    assert outcome.exit_code == 0, outcome.stderr
    assert "the same request gives different answers" in outcome.last["report"]["warning"]
    assert "0.2.json gave {alarm: False, id: 0." in outcome.last["report"]["warning"]
    assert outcome.rows["near/fp32"]["answers"] is None


def test_a_handler_that_tells_the_time_is_not_judged(alarm: Lab, tmp_path: Path) -> None:
    """A clock that stands still between two quick runs is seen when an artifact's answer differs: asked again later."""
    lab = alarm.copy(tmp_path / "lab")
    source = ALARM.replace("import numpy as np", "import time\n\nimport numpy as np")
    source = source.replace('return {"alarm":', 'return {"at": int(time.time() * 100), "alarm":')
    (lab.root / "talk" / "talk.py").write_text(source.replace("-> dict[str, bool]", "-> dict[str, int]"))
    outcome = lab.build()
    assert outcome.exit_code == 0, outcome.stderr
    told = outcome.last["report"]["warning"] + outcome.rows["portable/fp32"]["warning"]
    assert "the same request gives different answers" in told


def test_the_samples_travel_unless_the_author_keeps_them(alarm: Lab, tmp_path: Path) -> None:
    """A bundle has requests and eager's answers apart; with golden_inputs=False neither, nor a tensor of a sample."""
    bundle = Layout(alarm.root / "out").open("talk")
    assert bundle.config.requests == len(VALUES)
    kinds = [layer.media_type for layer in bundle.layers]
    assert {REQUESTS_TYPE, ANSWERS_TYPE} <= set(kinds)
    assert travelling(bundle).startswith(f"the bundle holds {len(VALUES)} requests of samples/ (")
    lab = alarm.copy(tmp_path / "lab")
    module = lab.root / "talk" / "talk.py"
    module.write_text(ALARM.replace("@edge_function\n", "@edge_function(golden_inputs=False)\n"))
    outcome = lab.build()
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.rows["portable/fp32"]["answers"]["matched"] == len(VALUES)
    kept = Layout(lab.root / "out").open("talk")
    assert {REQUESTS_TYPE, ANSWERS_TYPE}.isdisjoint(layer.media_type for layer in kept.layers)
    assert (kept.config.requests, kept.config.models[0].golden) == (0, 0)
    (layer,) = (one for one in kept.layers if one.media_type == GOLDEN_TYPE)
    archive.unpack(kept.blob_path(layer.digest), tmp_path / "golden", limit_bytes=layer.size)
    (sample,) = golden.load(next((tmp_path / "golden").rglob("small.npz")))
    assert (sample.inputs["x"].tolist(), dict(sample.outputs)) == ([[0.0]], {})
    assert travelling(kept).startswith("the bundle holds no samples (golden_inputs=False)")


def test_samples_that_are_arrays_are_no_requests(tmp_path: Path) -> None:
    """Where samples= yields arrays or names .npz files, no handler runs, and why nothing was compared is said."""
    (tmp_path / "one.npz").write_bytes(b"")

    @edge_function
    def talk(n: int) -> int:
        return n

    for samples in (lambda: [{"x": np.ones((1, 1), np.float32)}], "*.npz"):

        @edge_model(inputs={"x": tensor("float32", "batch", 1)}, samples=samples)
        def small() -> None:
            raise NotImplementedError

        found = reference.obtain(talk, [small], Sources(tmp_path), Cache(tmp_path / "cache"), {})
        assert not found.fit
        assert "the handler's answers were not compared" in found.reference.unfit
        assert choosing.chosen(found, talk.spec) == ([], Reference())


@pytest.mark.parametrize("option", [{"golden_inputs": False}, {"network": True}, {"devices": ("/dev/video0",)}])
def test_a_function_that_acts_or_keeps_its_samples_is_not_asked(tmp_path: Path, option: dict[str, Any]) -> None:
    """Asked on a box, a handler that reaches the network or a device would act there: none of its requests travels."""
    path = tmp_path / "answers.msgpack"
    known = Reference((Asked("1.json", "application/json"),), (record.encode(1),))
    (tmp_path / "1.json").write_text("1")
    answers = reference.Answers(tmp_path, "talk", (Sample(tmp_path / "1.json"),), known, path)
    spec = FunctionSpec("talk", "talk:talk")
    assert choosing.chosen(answers, spec) == ([tmp_path / "1.json"], known)
    assert choosing.chosen(answers, msgspec.structs.replace(spec, **option)) == ([], Reference())


TWO = """
import numpy as np
from edgefn import edge_function, edge_model, tensor

def _ones():
    import torch
    layer = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer

@edge_model(inputs={"x": tensor("float32", "batch", 1)}, samples="samples/*.json")
def small():
    return _ones()

@edge_model(inputs={"x": tensor("float32", "batch", 1)}, samples="samples/*.json")
def other():
    return _ones()

@edge_function
async def talk(numbers: list[float]) -> dict[str, bool]:
    x = np.array([numbers], np.float32)
    return {"alarm": float(small(x=x).max()) > 1.0, "half": float(other(x=x * np.float32(0.5)).max()) > 1.0}
"""


@pytest.mark.long
def test_each_model_is_judged_beside_the_others(tmp_path: Path) -> None:
    """Of two models, the artifact that raises the alarm is dropped; the other's, off by as much, is kept."""
    lab = new_alarm(tmp_path / "lab", TWO)
    outcome = lab.build("near/fp32")
    rows = {(row["model"], row["target"]): row for row in outcome.last["report"]["artifacts"]}
    assert rows["small", "near/fp32"]["status"] == "dropped"
    assert rows["other", "near/fp32"]["status"] == "built"
    assert rows["other", "portable/fp32"]["answers"]["matched"] == 4


def test_a_portable_artifact_that_answers_otherwise_ends_the_build(alarm: Lab, tmp_path: Path) -> None:
    """Where the handler tells eager from the portable artifact itself, nothing is served."""
    lab = alarm.copy(tmp_path / "lab")
    source = ALARM.replace(
        'return {"alarm":',
        'import sys\n    return {"engine": "eager" in type(small._session).__name__.lower(), "alarm":',
    )
    (lab.root / "talk" / "talk.py").write_text(source)
    outcome = lab.build()
    assert outcome.exit_code == GateError.exit_code
    assert "engine: False instead of True" in outcome.last["detail"]


def test_eagers_answers_are_recorded_once(alarm: Lab, tmp_path: Path) -> None:
    """A second build of the same handler takes eager's answers from the cache: it loads no torch of its own."""
    lab = alarm.copy(tmp_path / "lab")
    driver = (
        "import sys\nfrom edgefn.compile.__main__ import main\ncode = main(sys.argv[1:])\n"
        "print('torch' in sys.modules, file=sys.stderr)\nsys.exit(code)"
    )
    command = [sys.executable, "-c", driver, *lab.command()[3:]]
    done = subprocess.run(command, env=lab.environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "False"
