"""Compilers are processes: one that fails, crashes, hangs or writes nonsense costs its own artifact and no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edgefn.bundle.oci.layout import Layout
from edgefn.compile.cache.cache import TEMPORARY
from edgefn.errors import PartialBuild
from tests.e2e.deadline import eventually
from tests.edgefn.compile import lab_backend
from tests.edgefn.compile.outcome import Outcome

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(400)]

SOURCE = """
import numpy as np
from edgefn import edge_function, edge_model, tensor

@edge_model(inputs={"x": tensor("float32", "batch", 4)}, samples="samples/*.json")
def small():
    import torch
    return torch.nn.Linear(4, 3)

@edge_function
def talk(numbers: list[float]) -> float:
    return float(small(x=np.array([numbers], np.float32)).max())
"""

GOOD = ("good/int8",)
BAD = ("wrong/fp32", "raises/fp32", "killed/fp32", "crashes/fp32")


@dataclass
class Lab:
    """A project whose targets are those of the test's backend."""

    root: Path

    @property
    def notes(self) -> list[str]:
        path = self.root / "notes"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def lowered(self) -> list[str]:
        """The targets that the backend lowered, sorted: compilers run side by side."""
        return sorted(line.removeprefix("lower ") for line in self.notes if line.startswith("lower "))

    @property
    def pids(self) -> list[int]:
        return [int(line.removeprefix("pid ")) for line in self.notes if line.startswith("pid ")]

    def copy(self, root: Path) -> Lab:
        """A copy, cache and all, with empty notes."""
        shutil.copytree(self.root, root)
        (root / "notes").unlink(missing_ok=True)
        return Lab(root)

    def command(self, *targets: str, timeout: str = "5min") -> list[str]:
        options = [word for target in targets for word in ("--target", target)]
        place = [str(self.root / "talk"), "--output", str(self.root / "out")]
        return [sys.executable, "-m", "edgefn.compile", *place, f"--timeout={timeout}", *options]

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.root / "installed"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return os.environ | {"PYTHONPATH": path, "LAB_NOTES": str(self.root / "notes")}

    def build(self, *targets: str, timeout: str = "5min") -> Outcome:
        done = subprocess.run(
            self.command(*targets, timeout=timeout),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def new_lab(root: Path) -> Lab:
    """A project, and the backend installed for it alone: a module, and a .dist-info with its entry point."""
    (root / "talk" / "samples").mkdir(parents=True)
    (root / "targets").mkdir()
    (root / "edgefn.toml").write_text('[project]\nname = "test"\n')
    for name in (*lab_backend.BEHAVIOURS, "nowhere", "absent"):
        backend = "lab" if name in lab_backend.BEHAVIOURS else name
        (root / "targets" / f"{name}.toml").write_text(lab_backend.PROFILE.format(backend=backend))
    (root / "talk" / "talk.py").write_text(SOURCE)
    for number in range(3):
        (root / "talk" / "samples" / f"{number}.json").write_text(json.dumps([number, 1, 2, 3]))
    described = root / "installed" / "edgefn_lab-1.0.dist-info"
    described.mkdir(parents=True)
    shutil.copyfile(lab_backend.__file__, root / "installed" / "edgefn_lab.py")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: edgefn-lab\nVersion: 1.0\n")
    halves = "lab = edgefn_lab:Lab\nabsent = edgefn_lab:Absent\n"
    (described / "entry_points.txt").write_text(f"[edgefn.backends]\n{halves}\n[edgefn.lowerings]\n{halves}")
    return Lab(root)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Outcome]:
    """A lab that was built for some good and some bad targets."""
    lab = new_lab(tmp_path_factory.mktemp("first") / "lab")
    return lab, lab.build(*GOOD, *BAD)


def test_a_bundle_is_written_with_what_there_is(first: tuple[Lab, Outcome]) -> None:
    """The good artifacts and the portable one, which nobody asked for, are in it; the exit code says partial."""
    lab, outcome = first
    assert outcome.exit_code == PartialBuild.exit_code == 13, outcome.stderr
    bundle = Layout(lab.root / "out").open("talk")
    bundle.verify()
    assert [entry.target for entry in bundle.config.artifacts] == [*GOOD, "portable/fp32"]
    built = [target for target, row in outcome.rows.items() if row["status"] == "built"]
    assert sorted(built) == [*GOOD, "portable/fp32"]


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("wrong/fp32", "dropped", "of its spread between samples, but only 0.01 % is allowed"),
        ("raises/fp32", "failed", "RuntimeError: the toolchain has a fault;"),
        ("killed/fp32", "killed", "killed by SIGKILL while lowering"),
        ("crashes/fp32", "killed", "killed by SIGSEGV while its artifact was checked"),
    ],
)
def test_what_is_missing_says_why(first: tuple[Lab, Outcome], target: str, status: str, reason: str) -> None:
    """Each names model, target and figure, and its log, which is kept and has what the compiler said."""
    lab, outcome = first
    row = outcome.rows[target]
    assert (row["status"], row["model"]) == (status, "small")
    assert f"{target} of model small" in row["reason"]
    assert reason in row["reason"]
    log = lab.root / ".edgefn" / "logs" / "build" / "talk" / f"small-{target.replace('/', '-')}.log"
    assert row["log"] == str(log)
    assert str(log) in row["reason"]
    assert f"lab lowers {target}" in log.read_text()


def test_the_figures_of_a_dropped_artifact_are_told(first: tuple[Lab, Outcome]) -> None:
    """Half as much again, layer for layer: how far it is off, beside the limit that it misses."""
    row = first[1].rows["wrong/fp32"]
    assert row["verdict"] == "wrong"
    assert 0.1 < row["error"] < 10
    assert (row["error_limit"], row["bound"]) == (1e-4, None)


def test_the_trace_of_a_toolchain_is_in_its_log(first: tuple[Lab, Outcome]) -> None:
    """All lines of the error, and where it came from."""
    text = Path(first[1].rows["raises/fp32"]["log"]).read_text()
    assert "Traceback" in text
    assert "of many lines" in text


def test_the_report_has_the_figures_of_each_artifact(first: tuple[Lab, Outcome]) -> None:
    """Operators, layers kept in float, agreement, latency, opset, versions, seconds; it lies beside the bundle too."""
    lab, outcome = first
    row = outcome.rows["good/int8"]
    assert (row["quantized"], row["kept"], row["opset"], row["cached"]) == ({"Gemm": 1}, ["last"], 20, False)
    assert (row["verdict"], row["error_limit"], row["bound"]) == ("right", 0.1, None)
    assert row["error"] < 1e-4
    assert row["latency_ratio"] > 0
    assert row["seconds"] > 0
    assert row["size_bytes"] > 0
    assert row["toolchain"]["onnxruntime"]
    assert json.loads((lab.root / "out" / "reports" / "talk.json").read_text()) == outcome.last["report"]


def test_the_report_is_sorted_by_latency(first: tuple[Lab, Outcome]) -> None:
    """The fastest first; what is not in the bundle comes last."""
    rows = first[1].last["report"]["artifacts"]
    assert [row["status"] == "built" for row in rows] == [True] * 2 + [False] * 4
    ratios = [row["latency_ratio"] for row in rows[:2]]
    assert ratios == sorted(ratios)


def test_the_peak_of_memory_is_a_compilers_own(first: tuple[Lab, Outcome]) -> None:
    """The one that eats is told apart from one beside it, and none is charged with what the build itself holds."""
    rows = first[1].rows
    assert rows["good/int8"]["peak_bytes"] > rows["crashes/fp32"]["peak_bytes"] + lab_backend.EATEN_BYTES / 2
    assert 0 < rows["crashes/fp32"]["peak_bytes"] < 1.2e9


def test_int8_is_judged_by_other_samples_than_it_was_calibrated_on(first: tuple[Lab, Outcome]) -> None:
    """Of three golden samples one calibrates and two judge; the report warns, and the bundle says what they move by."""
    lab, outcome = first
    (calibrated,) = (json.loads(line) for line in lab.notes if line.startswith("["))
    assert (len(calibrated), outcome.rows["good/int8"]["samples"]) == (1, 2)
    assert "calibrated on golden samples" in outcome.rows["good/int8"]["warning"]
    (model,) = Layout(lab.root / "out").open("talk").config.models
    assert model.golden == 3
    assert model.judging.outputs["output"].slices[0].spread > 0


def test_one_target_more_is_one_compiler_more(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """Nothing that was built is lowered again, and order changes nothing. What a compiler leaves behind is ended."""
    lab = first[0].copy(tmp_path / "lab")
    again = lab.build("good/int8", "leaves/fp32")
    assert again.exit_code == 0, again.stderr
    assert lab.lowered == ["leaves/fp32"]
    cached = {target: row["cached"] for target, row in again.rows.items()}
    assert cached == {"portable/fp32": True, "good/int8": True, "leaves/fp32": False}
    reordered = lab.build("leaves/fp32", "good/int8")
    assert (reordered.last["digest"], reordered.last["cached"]) == (again.last["digest"], False)
    assert again.rows["good/int8"]["latency_ratio"] == first[1].rows["good/int8"]["latency_ratio"]
    in_its_group, in_one_of_its_own = lab.pids
    assert not Path(f"/proc/{in_its_group}").exists()
    assert not Path(f"/proc/{in_one_of_its_own}").exists()


def test_a_bundle_without_int8_says_nothing_of_its_bound(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """So the digests of float bundles do not depend on what int8 would be held to."""
    lab = first[0].copy(tmp_path / "lab")
    again = lab.build("portable/fp32")
    assert (again.exit_code, lab.lowered) == (0, [])
    (model,) = Layout(lab.root / "out").open("talk").config.models
    assert model.bounds == {}


def test_what_failed_is_tried_again_and_what_was_dropped_is_not_compiled_again(
    first: tuple[Lab, Outcome], tmp_path: Path
) -> None:
    """A partial build is no finished one: the next has the same outcome by the same gates."""
    lab = first[0].copy(tmp_path / "lab")
    again = lab.build("wrong/fp32", "raises/fp32")
    assert again.exit_code == 13
    assert lab.lowered == ["raises/fp32"]
    assert {target: row["status"] for target, row in again.rows.items() if target != "portable/fp32"} == {
        "wrong/fp32": "dropped",
        "raises/fp32": "failed",
    }


def test_a_compiler_that_hangs_is_ended_with_its_children(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """At its limit, and by name; what is done already stays."""
    lab = first[0].copy(tmp_path / "lab")
    outcome = lab.build("hangs/fp32", timeout="5s")
    assert outcome.exit_code == 13, outcome.stderr
    row = outcome.rows["hangs/fp32"]
    assert row["status"] == "timed out"
    assert "hangs/fp32 of model small was not ready in 5.0 s" in row["reason"]
    assert "compile_timeout" in row["reason"]
    assert outcome.rows["portable/fp32"]["status"] == "built"
    for pid in lab.pids:
        assert not Path(f"/proc/{pid}").exists()


def test_compilers_leave_no_temporary_files(first: tuple[Lab, Outcome]) -> None:
    """Not even one that is killed: they lie in the cache meanwhile, which holds whole entries and the lock's folder."""
    lab = first[0]
    cache = lab.root / ".edgefn" / "cache"
    folders = [Path(line.removeprefix("temporary ")) for line in lab.notes if line.startswith("temporary ")]
    assert len(folders) == len(GOOD) + len(BAD)
    assert all(folder.is_relative_to(cache) and not folder.exists() for folder in folders)
    assert not list(cache.glob(f"{TEMPORARY}*"))


def test_a_build_that_is_interrupted_leaves_nothing_and_the_next_is_fine(
    first: tuple[Lab, Outcome], tmp_path: Path
) -> None:
    """Ctrl-C in the middle of `edgefn build`: no process, no folder that is no entry; a build that waited goes on."""
    lab = first[0].copy(tmp_path / "lab")
    other_said = tmp_path / "other"
    command = [sys.executable, "-m", "edgefn_cli", "build", "talk"]
    build = subprocess.Popen([*command, "--target", "hangs/fp32"], cwd=lab.root, env=lab.environment)
    (pid,) = eventually("the compiler's child runs", lambda: lab.pids, seconds=60)
    with other_said.open("wb") as said:
        other = subprocess.Popen(command, cwd=lab.root, env=lab.environment, stderr=said)
        eventually("the other waits", lambda: "build talk: wait for another build" in other_said.read_text())
    build.send_signal(signal.SIGINT)
    assert build.wait(10) == 130
    assert _ended(pid)
    assert other.wait(60) == 0
    assert not list((lab.root / ".edgefn" / "cache").glob(f"{TEMPORARY}*"))


def test_a_build_that_is_killed_takes_its_compilers_along(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """Even by SIGKILL, when it can do nothing itself; the compiler's own child goes as well."""
    lab = first[0].copy(tmp_path / "lab")
    with subprocess.Popen(lab.command("hangs/fp32"), env=lab.environment, stdout=subprocess.DEVNULL) as build:
        (pid,) = eventually("the compiler's child runs", lambda: lab.pids, seconds=60)
        build.send_signal(signal.SIGKILL)
        build.wait(10)
    eventually("the compiler's child is gone", lambda: _ended(pid))


def test_a_build_without_an_artifact_is_code_13_and_says_so_in_json(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """`edgefn build --json`: the report on stdout has the row with its log, the problem on stderr names it."""
    lab = first[0].copy(tmp_path / "lab")
    command = [sys.executable, "-m", "edgefn_cli", "build", "talk", "--json"]
    targets = ["--target", "wrong/fp32"] * 2  # named twice, wanted once
    done = subprocess.run([*command, *targets], cwd=lab.root, env=lab.environment, capture_output=True, check=False)
    assert done.returncode == 13
    (built,) = json.loads(done.stdout)["built"]
    good, wrong = built["report"]["artifacts"]
    assert (good["target"], good["status"]) == ("portable/fp32", "built")
    assert (wrong["target"], wrong["status"]) == ("wrong/fp32", "dropped")
    problem = json.loads(done.stderr.splitlines()[-1])
    assert (problem["error"], problem["exit_code"]) == ("PartialBuild", 13)
    assert f"without 1 of its 2 artifacts: {wrong['reason']}" in problem["detail"]


def test_one_sample_is_too_few_for_int8_and_enough_for_the_others(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """The report says what to give; the float artifact is in the bundle."""
    lab = first[0].copy(tmp_path / "lab")
    for number in (1, 2):
        (lab.root / "talk" / "samples" / f"{number}.json").unlink()
    outcome = lab.build("good/int8")
    assert outcome.exit_code == 13, outcome.stderr
    assert outcome.rows["portable/fp32"]["status"] == "built"
    row = outcome.rows["good/int8"]
    assert row["status"] == "dropped"
    assert (
        "of model small is left out: model small cannot be calibrated for int8: there is only 1 sample" in row["reason"]
    )
    assert "give more samples=" in row["reason"]


def test_an_engine_that_is_not_installed_is_told_with_its_command(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """Asked for by name it is an error; of a group it is left out, and the report says how to get it."""
    lab = first[0].copy(tmp_path / "lab")
    named = lab.build("absent/fp32")
    words = (
        "the target absent/fp32 needs the backend absent, which does not work on this machine: "
        "pip install absent-engine"
    )
    assert (named.exit_code, named.last["error"], named.last["detail"]) == (8, "BuildError", words)
    group = lab.build("absent/*")
    assert group.exit_code == 0, group.stderr
    assert (group.rows["absent/fp32"]["status"], group.rows["absent/fp32"]["reason"]) == ("skipped", words)


def test_a_backend_that_is_missing_is_told_before_anything_is_built(tmp_path: Path) -> None:
    """A target asked for by name: the error has its name, and no compiler has run."""
    lab = new_lab(tmp_path / "lab")
    outcome = lab.build("nowhere/fp32", "good/fp32")
    assert (outcome.exit_code, outcome.last["error"]) == (8, "BuildError")
    assert "the target nowhere/fp32 needs the backend nowhere" in outcome.last["detail"]
    assert lab.notes == []
    assert [event["name"] for event in outcome.events if event["event"] == "step"] == ["inspect"]


@pytest.mark.parametrize("text", ["0s", "soon", "-5s", ""])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Before anything is built."""
    outcome = new_lab(tmp_path / "lab").build("portable/fp32", timeout=text)
    assert (outcome.exit_code, outcome.last["error"]) == (2, "SpecError")
    assert f"--timeout is '{text}'" in outcome.last["detail"]


def test_the_portable_artifacts_failure_is_the_builds(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """Here it is not proved in time: the error says so, no bundle is written, and the other compilers are ended."""
    lab = first[0].copy(tmp_path / "lab")
    shutil.rmtree(lab.root / "out")
    for kind in ("agreement", "bundle"):
        shutil.rmtree(lab.root / ".edgefn" / "cache" / kind, ignore_errors=True)
    outcome = lab.build("hangs/fp32", timeout="10ms")
    assert (outcome.exit_code, outcome.last["error"]) == (8, "BuildError"), outcome.stderr
    assert "portable/fp32 of model small was not ready in 10.0 ms" in outcome.last["detail"]
    assert not (lab.root / "out").exists()
    for pid in lab.pids:
        assert not Path(f"/proc/{pid}").exists()


def test_dev_serves_with_what_there_is(first: tuple[Lab, Outcome], tmp_path: Path) -> None:
    """`edgefn dev` of a function that lacks an artifact is live with the others, and says which is missing and why."""
    lab = first[0].copy(tmp_path / "lab")
    targets = 'targets = ["portable/fp32", "wrong/fp32"]'
    (lab.root / "edgefn.toml").write_text(f'[project]\nname = "test"\n[build]\n{targets}\n')
    said = tmp_path / "said"
    environment = {name: value for name, value in lab.environment.items() if not name.startswith("EDGEFN_")}
    with said.open("w") as output:
        command = [sys.executable, "-m", "edgefn_cli", "dev", "talk"]
        dev = subprocess.Popen(command, stdout=output, stderr=output, cwd=lab.root, env=environment)
    try:
        (url, *_) = eventually(
            "it is live", lambda: re.findall(r"(?m)^live: .* at (\S+)", said.read_text()), seconds=60
        )
        answer = httpx.post(url, json=[1.0, 2.0, 3.0, 4.0], trust_env=False, timeout=10)
        assert (answer.status_code, type(answer.json())) == (200, float), answer.text
        (warning,) = [line for line in said.read_text().splitlines() if line.startswith("warning: ")]
        assert "talk was built without 1 of its 2 artifacts" in warning
        assert "wrong/fp32 of model small" in warning
        assert "of its spread between samples" in warning
    finally:
        dev.send_signal(signal.SIGINT)
        assert dev.wait(30) == 130


def _ended(pid: int) -> bool:
    """Gone, or dead and waiting for whoever adopted it to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
