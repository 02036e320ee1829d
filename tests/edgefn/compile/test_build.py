"""The whole build, as the CLI runs it: a process, NDJSON on its stdout, a bundle in the layout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edgefn import golden
from edgefn.bundle import archive
from edgefn.bundle.config import GOLDEN_TYPE
from edgefn.bundle.oci.layout import Layout
from tests.edgefn.compile.outcome import Outcome

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SOURCE = '''
"""Doubles and adds noise that is always the same."""
import numpy as np
from edgefn import Accuracy, edge_function, edge_model, tensor

print("a module that talks on stdout")

@edge_model(
    inputs={"x": tensor("float32", "batch", 4)},
    outputs={"first": lambda y: y[:, :1]},
    samples="samples/*.json",
    accuracy=Accuracy(classes={"output": 1}),
)
def noisy():
    import os
    import torch
    os.write(1, b"a library that talks on stdout\\n")
    return torch.nn.Linear(4, 3)

@edge_function
def talk(numbers: list[float]) -> float:
    return float(noisy(x=np.array([numbers], np.float32)).max())
'''

DRIVER = """
import sys
from edgefn.compile.__main__ import main
code = main(sys.argv[1:])
print("torch" in sys.modules, file=sys.stderr)
sys.exit(code)
"""


def build(project: Path, *options: str, folder: str = "talk") -> Outcome:
    command = [sys.executable, "-c", DRIVER, str(project / folder), "--output", str(project / "out"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def new_project(root: Path, source: str = SOURCE) -> Path:
    (root / "talk" / "samples").mkdir(parents=True)
    (root / "edgefn.toml").write_text('[project]\nname = "test"\n')
    (root / "talk" / "talk.py").write_text(source)
    (root / "talk" / "words.txt").write_text("data\n")
    for number in range(3):
        (root / "talk" / "samples" / f"{number}.json").write_text(json.dumps([number, 1, 2, 3]))
    return root


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A project that was built once, and what that said."""
    project = new_project(tmp_path_factory.mktemp("first"))
    return project, build(project)


@pytest.fixture
def built(first: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy of the built project, cache and all, for a test to change."""
    shutil.copytree(first[0], tmp_path / "copy")
    return tmp_path / "copy"


def edit(project: Path, old: str, new: str) -> None:
    path = project / "talk" / "talk.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_build_gives_a_bundle_and_says_so(first: tuple[Path, Outcome]) -> None:
    """The last event has the digest of a bundle that is whole and names its artifact, bound and outputs."""
    project, outcome = first
    assert outcome.exit_code == 0, outcome.stderr
    assert (outcome.last["event"], outcome.last["function"], outcome.last["cached"]) == ("built", "talk", False)
    bundle = Layout(project / "out").open("talk")
    bundle.verify()
    assert bundle.manifest_digest == outcome.last["digest"]
    (model,), (artifact,) = bundle.config.models, bundle.config.artifacts
    assert (model.golden, str(model.spec.outputs["output"])) == (3, "float32[batch, 3]")
    assert (artifact.model, artifact.target, artifact.toolchain["opset"]) == ("noisy", "portable/fp32", "20")


def test_stdout_has_events_only(first: tuple[Path, Outcome]) -> None:
    """What the user's module prints, from Python or from below it, goes to stderr."""
    _, outcome = first
    assert "a module that talks on stdout" in outcome.stderr
    assert "a library that talks on stdout" in outcome.stderr
    names = [event["name"] for event in outcome.events if event["event"] == "step"]
    assert names == ["inspect", "record", "capture", "compile", "wheels", "pack"]
    assert [event["done"] for event in outcome.events if event["event"] == "step"] == [0, 1, 2, 3, 6, 7]


def test_the_check_and_the_report_have_the_figures(first: tuple[Path, Outcome]) -> None:
    """Parity is told as an event; the report, beside the bundle, has size, opset, latency and seconds too."""
    project, outcome = first
    (check,) = (event for event in outcome.events if event["event"] == "check")
    assert check["passed"]
    assert check["error"] < 1e-5
    assert (check["verdict"], check["samples"]) == ("right", 3)
    assert check["sizes"] > 0
    report = json.loads((project / "out" / "reports" / "talk.json").read_text())
    assert report == outcome.last["report"]
    (artifact,) = report["artifacts"]
    assert (artifact["opset"], artifact["cached"]) == (20, False)
    assert artifact["latency_ratio"] > 0
    assert artifact["size_bytes"] > 0
    assert set(report["seconds"]) == {"inspect", "record", "capture", "compile", "wheels", "pack"}
    assert report["toolchain"]["torch"]


def test_the_authors_slices_are_in_the_report(first: tuple[Path, Outcome]) -> None:
    """Each with its figures, by the author's name, and one for what no function cuts."""
    _, outcome = first
    slices = outcome.rows["portable/fp32"]["slices"]
    assert {(one["output"], one["slice"]) for one in slices} == {("output", "first"), ("output", "the rest of output")}
    assert all(one["verdict"] == "right" and one["spread"] > 0 for one in slices)


def test_class_scores_are_in_the_report(first: tuple[Path, Outcome]) -> None:
    """Which outputs hold them and how that is known; how many rows agree, with what so many show."""
    _, outcome = first
    (model,) = outcome.last["report"]["models"]
    assert model["classes"] == {"output": "class scores along axis 1: accuracy= says so"}
    row = outcome.rows["portable/fp32"]
    assert (row["top1"], row["top1_rows"]) == (1.0, 3)
    assert row["top_class"].startswith("top class equal in 3 of 3 rows (95 % interval 0.44 to 1.00)")


def test_pairs_at_other_sizes_travel(first: tuple[Path, Outcome], tmp_path: Path) -> None:
    """The bundle has the samples, what was made of them, and eager's answers to other numbers of rows."""
    project, outcome = first
    bundle = Layout(project / "out").open("talk")
    (layer,) = (one for one in bundle.layers if one.media_type == GOLDEN_TYPE)
    archive.unpack(bundle.blob_path(layer.digest), tmp_path, limit_bytes=layer.size)
    pairs = golden.load_pairs(tmp_path / "golden" / "noisy.npz")
    (row,) = outcome.last["report"]["artifacts"]
    assert (len(pairs.samples), len(pairs.sizes), pairs.held_out) == (3, row["sizes"], ())
    rows = {len(pair.inputs["x"]) for pair in pairs.sizes}
    assert 1 not in rows
    assert len(rows) > 1
    assert all(pair.outputs["output"].shape == (len(pair.inputs["x"]), 3) for pair in pairs.sizes)
    assert pairs.stress


def test_the_same_sources_give_the_same_digest(first: tuple[Path, Outcome], tmp_path: Path) -> None:
    """In another folder, another process, with no cache: the bundle is the same to the byte."""
    again = build(new_project(tmp_path / "elsewhere" / "deep"))
    assert again.last["digest"] == first[1].last["digest"]


def test_an_unchanged_folder_is_not_built_again(built: Path) -> None:
    """The second build says cached and imports no torch; below its first paragraph a README is no change."""
    again = build(built)
    assert (again.last["event"], again.last["cached"]) == ("built", True)
    assert not again.had_torch


def test_a_readmes_first_paragraph_goes_along(built: Path) -> None:
    """It is in the bundle's config, for OpenAPI; the rest of the README is no change; neither needs torch."""
    readme = built / "talk" / "README.md"
    readme.write_text("# talk\n\nAnswers\nin words.\n\nMore.\n")
    told = build(built)
    assert Layout(built / "out").open(told.last["digest"]).config.function.readme == "Answers in words."
    readme.write_text("# talk\n\nAnswers\nin words.\n\nMuch more.\n")
    again = build(built)
    assert (again.last["cached"], again.last["digest"]) == (True, told.last["digest"])
    assert not told.had_torch


def test_a_layout_that_was_removed_is_written_again(first: tuple[Path, Outcome], built: Path) -> None:
    """A cached build whose bundle is gone packs it again from the cached artifact, without torch."""
    shutil.rmtree(built / "out")
    again = build(built)
    assert (again.last["digest"], again.last["cached"]) == (first[1].last["digest"], False)
    assert not again.had_torch
    Layout(built / "out").open("talk").verify()


def test_a_new_handler_with_the_golden_samples_kept_needs_no_torch(first: tuple[Path, Outcome], built: Path) -> None:
    """--reuse-golden: the artifact and its proof come from the cache, the code is new."""
    edit(built, ").max())", ").min())")
    again = build(built, "--reuse-golden")
    assert again.exit_code == 0, again.stderr
    assert not again.had_torch
    assert again.last["digest"] != first[1].last["digest"]
    assert again.last["report"]["artifacts"][0]["cached"]

    exact = build(built)
    assert not exact.last["cached"], "a build with kept golden samples must not pass for one without"
    assert (exact.last["report"]["models"][0]["golden_cached"], exact.had_torch) == (False, True)
    assert exact.last["report"]["artifacts"][0]["cached"]


def test_damaged_cache_entries_are_made_again(first: tuple[Path, Outcome], built: Path) -> None:
    """Whatever is damaged, the bundle comes out the same. (Not the artifact's entry, for the seconds it costs.)"""
    for kind in ("bundle", "golden", "latest-golden", "agreement"):
        for path in (built / ".edgefn" / "cache" / kind).rglob("*.*"):
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    again = build(built)
    assert again.last["digest"] == first[1].last["digest"]
    assert not again.last["report"]["models"][0]["golden_cached"]


ONLY_HANDLER = """
from edgefn import edge_function
@edge_function
def talk(n: int) -> int:
    return n
"""

BATCHED = SOURCE.replace('samples="samples/*.json"', "batch=8")


@pytest.mark.parametrize(
    ("source", "error", "exit_code", "detail", "trace"),
    [
        ("x = 1", "SpecError", 2, "exactly one", ""),
        (ONLY_HANDLER + ONLY_HANDLER.replace("talk", "walk"), "SpecError", 2, "exactly one", ""),
        (ONLY_HANDLER.replace("@edge_function", '@edge_function(memroy="1GiB")'), "SpecError", 2, "memory", ""),
        (BATCHED, "SpecError", 2, "@edge_function(concurrency=8) on talk", ""),
        (BATCHED.replace("def talk", "async def talk"), "SpecError", 2, "Make talk a plain `def`", ""),
        ("def talk(:", "BuildError", 8, "SyntaxError", "talk.py"),
        ("import nothing_of_that_name", "BuildError", 8, "add its name to requirements.txt", "talk.py"),
        ("raise SystemExit(0)", "BuildError", 8, "SystemExit", "talk.py"),
    ],
    ids=["no function", "two functions", "option", "batch alone", "batch async", "syntax", "missing module", "exits"],
)
def test_a_module_that_cannot_be_built_says_why(
    tmp_path: Path, source: str, error: str, exit_code: int, detail: str, trace: str
) -> None:
    """The last event has the error's class, exit code and message, and a trace of the user's own frames."""
    outcome = build(new_project(tmp_path / "project", source))
    assert (outcome.exit_code, outcome.last["event"], outcome.last["error"]) == (exit_code, "error", error)
    assert outcome.last["exit_code"] == exit_code
    assert detail in outcome.last["detail"]
    assert trace in outcome.last["trace"]
    assert "importlib" not in outcome.last["trace"]


def test_a_folder_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """Nothing is created where nothing can be built."""
    outcome = build(tmp_path, folder="nowhere")
    assert (outcome.exit_code, outcome.last["error"]) == (2, "SpecError")
    assert list(tmp_path.iterdir()) == []


def test_a_builder_that_raises_is_shown_with_its_trace(tmp_path: Path) -> None:
    """The trace begins in the user's file and the layout has no bundle."""
    source = SOURCE.replace("return torch.nn.Linear(4, 3)", "return weights['missing']").replace(
        "import numpy as np", "import numpy as np\nweights = {}"
    )
    project = new_project(tmp_path / "project", source)
    outcome = build(project)
    assert (outcome.exit_code, outcome.last["error"]) == (8, "BuildError")
    assert "builder of model noisy raised KeyError" in outcome.last["detail"]
    assert outcome.last["trace"].splitlines()[1].endswith("in noisy")
    assert not (project / "out").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    (tmp_path / "disk").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path / "disk")]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small tmpfs can be mounted here")
    yield tmp_path / "disk"
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_a_disk_that_is_full_is_told_with_its_folder(small_disk: Path) -> None:
    """Exit code 12; the next build, with room, is whole."""
    project = new_project(small_disk / "project", ONLY_HANDLER)
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    outcome = build(project)
    assert (outcome.exit_code, outcome.last["error"]) == (12, "DiskFull"), outcome.stderr
    assert f"no room left on the disk to write {project}" in outcome.last["detail"]
    filler.unlink()
    assert build(project).exit_code == 0


@pytest.mark.parametrize("way", [".edgefn", ".edgefn/cache", ".edgefn/cache/bundle"])
def test_a_file_in_the_caches_way_is_named(tmp_path: Path, way: str) -> None:
    """With its path and what may be done; so is a folder that belongs to somebody else."""
    project = new_project(tmp_path / "project", ONLY_HANDLER)
    (project / way).parent.mkdir(parents=True, exist_ok=True)
    (project / way).touch()
    outcome = build(project)
    assert (outcome.exit_code, outcome.last["error"]) == (8, "BuildError")
    cache = project / ".edgefn" / "cache"
    assert outcome.last["detail"].startswith(f"cannot write {max(cache, project / way)}: ")
    assert f"; {cache} must be a folder that you may write to" in outcome.last["detail"]


def test_a_function_without_models_needs_no_torch(tmp_path: Path) -> None:
    """A handler alone is packed in a moment."""
    outcome = build(new_project(tmp_path / "project", ONLY_HANDLER))
    assert outcome.exit_code == 0, outcome.stderr
    assert not outcome.had_torch
    config = Layout(tmp_path / "project" / "out").open("talk").config
    assert (config.models, config.artifacts, config.function.entry) == ((), (), "talk:talk")


ELSEWHERE = """
from edgefn import edge_function, edge_model, tensor
import numpy as np

@edge_model(inputs={"x": tensor("float32", "batch", 4)}, samples="samples/*.json")
def scaled():
    import os, sys, torch
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "library"))
    from scales import SCALE

    class Net(torch.nn.Module):
        def forward(self, x):
            return x * SCALE * float(os.environ.get("TALK_SCALE", "1"))

    return Net()

@edge_function
def talk(numbers: list[float]) -> float:
    return float(scaled(x=np.array([numbers], np.float32)).max())
"""


@pytest.mark.long
def test_modules_elsewhere_and_variables_make_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder that puts a folder on sys.path, or reads a variable, is not taken for what it was before."""
    project = new_project(tmp_path, ELSEWHERE)
    (library := project / "library").mkdir()
    digests = []
    for scale, variable in ((2, "1"), (2, "1"), (3, "1"), (3, "5")):
        (library / "scales.py").write_text(f"SCALE = {scale}")
        monkeypatch.setenv("TALK_SCALE", variable)
        done = build(project)
        assert done.exit_code == 0, done.stderr
        digests.append((done.last["digest"], done.last["cached"]))
    assert digests[1] == (digests[0][0], True)
    assert len({digest for digest, _ in digests}) == 3
