"""The list of networks: what goes in fits, what the oracle counts is what it says, and what was found is kept."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.zoo import catalogue, inputs, oracle, record, table
from benchmarks.zoo.project import Project
from benchmarks.zoo.record import Artifact, Judged, Record

NETWORKS = {one.name: one for one in catalogue.networks()}
WRITTEN = Path(catalogue.__file__).parents[1] / "written"


def test_the_list_is_long_and_of_many_kinds() -> None:
    """At least 120 networks, each function's name once and one that a function may have."""
    assert len(NETWORKS) >= 120
    functions = [one.function for one in NETWORKS.values()]
    assert len(set(functions)) == len(functions) == len(catalogue.networks())
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) for name in functions)
    assert len({one.family for one in NETWORKS.values()}) >= 12


def test_each_written_network_is_in_the_list() -> None:
    """No file of benchmarks/zoo/written is forgotten, none is missing."""
    assert {one.module for one in NETWORKS.values() if one.module} == {path.stem for path in WRITTEN.glob("*.py")}


@pytest.mark.parametrize("name", ["resnet18", "Bert", "m5", "stateful_lstm", "dlrm", "gat", "r3d_18"])
def test_inputs_have_their_shapes_and_differ_by_seed(name: str) -> None:
    """At the samples' sizes and at all others; the same seed gives the same."""
    network = NETWORKS[name]
    for sizes in (network.sizes, *network.others()):
        first, second = (inputs.draw(network, sizes, seed) for seed in (1, 2))
        shapes = network.shapes(sizes)
        assert {key: array.shape for key, array in first.items()} == shapes
        assert {key: str(array.dtype) for key, array in first.items()} == {
            key: one.dtype for key, one in network.inputs.items()
        }
        assert any(not np.array_equal(first[key], second[key]) for key in first)
        assert all(np.array_equal(first[key], array) for key, array in inputs.draw(network, sizes, 1).items())


def test_each_free_size_is_tried_beside_the_samples() -> None:
    """Every word of a shape that is not the samples' alone has other sizes, one of them odd or one."""
    for network in NETWORKS.values():
        words = {size for one in network.inputs.values() for size in one.shape if isinstance(size, str)}
        assert words == set(network.sizes), network.name
        assert set(network.trials) <= words, network.name


@pytest.mark.parametrize("form", ["fixed", "free"])
def test_a_project_is_what_a_user_writes(form: str, tmp_path: Path) -> None:
    """The module imports, its model has the declared inputs, and the samples fit them."""
    network = NETWORKS["mlp"]
    project = Project(tmp_path, network, "free" if form == "free" else "fixed")
    project.write()
    text = (project.folder / "mlp.py").read_text()
    assert ('"batch"' in text) == (form == "free")
    compile(text, "mlp.py", "exec")
    assert len(list(project.folder.glob("samples/*.npz"))) >= 8
    assert not {path.name for path in project.folder.glob("samples/*")} - {f"{n:02}.npz" for n in range(100)}


RANDOM = np.random.default_rng(0)
ANSWERS = RANDOM.normal(0, 1, (8, 2, 30))


def _error(ours: np.ndarray, eagers: np.ndarray) -> float:
    return oracle.worst([[one] for one in ours], [[one] for one in eagers])[0]


def test_what_ignores_its_input_scores_one() -> None:
    """Whatever the offset and the unit: the average of all answers in place of each."""
    for offset, unit in ((0, 1), (295, 3), (-1e4, 1e3)):
        eager = ANSWERS * unit + offset
        assert _error(np.broadcast_to(eager.mean(0), eager.shape), eager) == pytest.approx(0.94, abs=0.02)


def test_a_small_part_of_a_tensor_is_judged_by_itself() -> None:
    """Scores beside boxes in pixels: all of them lost is an error of one, though the tensor hardly moved."""
    boxes, scores = RANDOM.uniform(0, 640, (8, 1, 4, 50)), RANDOM.random((8, 1, 2, 50))
    eager = np.concatenate([boxes, scores], 2)
    ours = np.concatenate([boxes, np.zeros_like(scores)], 2)
    assert np.abs(ours - eager).max() / np.abs(eager).max() < 2e-3
    assert _error(ours, eager) > 1


def test_rounding_is_no_error() -> None:
    """Float32's own noise stays far below what counts as wrong."""
    assert _error((ANSWERS * (1 + 1e-7)).astype(np.float32), ANSWERS.astype(np.float32)) < 1e-5


def test_eight_bits_need_not_tell_scores_apart_that_are_all_but_zero() -> None:
    """Of numbers from 0 to 1, a channel that moves by 0.0001 beside others; alone it is held to how far it moves."""
    scores = np.concatenate([RANDOM.random((8, 1, 20)), 1e-4 * RANDOM.random((8, 1, 20))], 2)
    ours = np.concatenate([scores[..., :20], np.full((8, 1, 20), 1e-3)], 2)
    few = scores[..., 20:]
    for coarse, wrong in ((True, False), (False, True)):
        assert (oracle.worst([[one] for one in ours], [[one] for one in scores], coarse=coarse)[0] > 0.1) == wrong
        assert (
            oracle.worst([[one] for one in np.full_like(few, few.mean())], [[one] for one in few], coarse=coarse)[0]
            > 0.9
        )


@pytest.mark.parametrize(
    ("ours", "eager"),
    [
        (ANSWERS[:, :1], ANSWERS),
        (np.where(ANSWERS > 2, np.nan, ANSWERS), ANSWERS),
        (ANSWERS, np.where(ANSWERS > 2, -np.inf, ANSWERS)),
        (ANSWERS, np.where(ANSWERS > 2, -1e9, ANSWERS)),
    ],
    ids=["shape", "nan", "infinity", "mask"],
)
def test_what_cannot_be_compared_is_wrong(ours: np.ndarray, eager: np.ndarray) -> None:
    """Another shape, NaN, and a number where eager has minus infinity or stands for it."""
    assert _error(ours, eager) == np.inf


def test_masked_numbers_are_no_part_of_the_error() -> None:
    """A mask of -1e9 in both does not hide what is beside it."""
    masked = np.where(np.arange(30) > 20, -1e9, ANSWERS)
    assert _error(masked, masked) == 0
    assert _error(np.where(np.arange(30) > 20, -1e9, ANSWERS[::-1]), masked) > 0.5


def test_whole_numbers_count_where_they_differ() -> None:
    """A label that changed is one of so many."""
    eager = np.arange(80).reshape(8, 10)
    assert _error(np.where(eager == 7, 0, eager), eager) == pytest.approx(1 / 80)


def _detections(random: np.random.Generator, scores: list[float]) -> list[np.ndarray]:
    return [random.uniform(0, 640, (len(scores), 4)), np.arange(len(scores)), np.array(scores)]


def test_rows_of_equal_scores_may_swap() -> None:
    """With all that is beside them, and none else: boxes in another row, boxes alone, and rows that differ in score."""
    random = np.random.default_rng(1)
    eager = [_detections(random, scores) for scores in ([0.9, 0.5, 0.5, 0.3], [0.8, 0.2], [])]
    swapped = [[array[[0, 2, 1, 3]] for array in eager[0]], *eager[1:]]
    assert oracle.worst(swapped, eager)[0] == 0
    wrongs = {
        "boxes alone": [[eager[0][0][[0, 2, 1, 3]], *eager[0][1:]], *eager[1:]],
        "another box": [[eager[0][0] + np.eye(4) * 9, *eager[0][1:]], *eager[1:]],
        "other scores": [[array[[1, 0, 2, 3]] for array in eager[0]], *eager[1:]],
        "one too few": [[array[:3] for array in eager[0]], *eager[1:]],
    }
    for name, ours in wrongs.items():
        assert oracle.worst(ours, eager)[0] > 0.01, name


def _record(name: str = "mlp", error: float = 1e-6) -> Record:
    artifact = Artifact(status="built", mb=1.0, ratio=0.5, judged=Judged(error=error, other=2 * error, sizes=4))
    return Record(name=name, family="tabular", form="fixed", seconds=9.0, artifacts={"portable/fp32": artifact})


def test_the_last_record_of_a_network_counts(tmp_path: Path) -> None:
    """A line each, appended; a file that is not there holds none."""
    path = tmp_path / "results" / "zoo.jsonl"
    assert record.read(path) == []
    for one in (_record(error=1.0), _record("vae"), _record(error=1e-6)):
        record.append(path, one)
    assert record.read(path) == [_record(error=1e-6), _record("vae")]


def test_eagers_own_noise_is_not_held_against_an_artifact() -> None:
    """A network whose float32 is as far from its float64 is right; int8 has a limit of its own."""
    assert Judged(error=0.01).wrong(int8=False)
    assert not Judged(error=0.01, noise=0.02).wrong(int8=False)
    assert not Judged(error=0.01).wrong(int8=True)
    assert Judged(error=0.0, other=0.5).wrong(int8=True)
    assert Judged(error=1e30).wrong(int8=True)


def test_the_table_has_a_row_for_each_and_each_reason_once() -> None:
    """Errors, refusals by number, and wrong answers for everybody to see."""
    refused, again = (
        Record(
            name=name,
            family="others",
            form="fixed",
            seconds=3.0,
            refusal="model network: no; see its log /tmp/log",
            targets=("portable/fp32",),
        )
        for name in ("gat", "gcn")
    )
    text = table.render([_record(), _record("vae", error=0.5), refused, again])
    assert re.search(r"^\| mlp \|.* 2e-06 \|", text, re.MULTILINE)
    assert re.search(r"^\| vae \|.*\*\*wrong\*\* 1e\+00 \|", text, re.MULTILINE)
    assert text.count("refused, 1 |") == 2
    assert text.endswith("1. no\n")
    assert "- portable, fixed sizes, built and right: 1 of 4 (25.0%)" in text
    assert "- wrong answers let through: 1 vae (fixed) portable/fp32" in text


@pytest.mark.parametrize(
    ("equal", "cell"), [(0.958, "2e-06, 95 %"), (0.0, "2e-06, 0 %"), (1.0, "2e-06"), (None, "2e-06")]
)
def test_the_share_of_equal_answers_is_told_where_it_is_not_all(equal: float | None, cell: str) -> None:
    """Beside the error, rounded down: 99.9 % are not all."""
    judged = Judged(error=2e-6, equal=equal)
    artifact = Artifact(status="built", mb=1.0, ratio=0.5, judged=judged)
    drawn = table.render([_record(), msgspec.structs.replace(_record("vae"), artifacts={"portable/fp32": artifact})])
    assert re.search(rf"^\| vae \|[^|]*\| {re.escape(cell)} \|", drawn, re.MULTILINE), drawn


def test_the_table_names_the_processors_that_networks_were_built_on() -> None:
    """Not the one of the machine that draws it."""
    records = [msgspec.structs.replace(_record(name), processor=name) for name in ("b", "a", "")]
    assert "\nTaken on a and b.\n" in table.render(records)


def test_a_record_has_no_folder_of_the_machine() -> None:
    """The file's name stays, and the part of a library's path that says which one it is."""
    said = 'no (File "/tmp/zoo-x/net.py", line 3, in f: a / b); see "/v/site-packages/timm/models/a.py"; see its log /l'
    plain = 'no (File "net.py", line 3, in f: a / b); see "timm/models/a.py"'
    assert record.plain(said) == plain == record.plain(plain)


DETECTORS = [one.name for one in NETWORKS.values() if one.family == "torchvision, detection"]
OTHERS = ("squeezenet1_1", "lcnet_050", "crnn", "DistilBert", *DETECTORS)
FOUR = ("mlp_with_embeddings", "gru_classifier", "m5", "lenet")
"""One of tables, a recurrent one, one for sounds, a small one for pictures."""


@pytest.mark.needs_torch
def test_eager_is_the_projects_own(tmp_path: Path) -> None:
    """Two projects' modules of one name are two modules, in one process too."""
    for name in ("crnn", "mlp_with_embeddings", "crnn"):
        project = Project(tmp_path / name, NETWORKS[name], "fixed")
        project.write()
        eager = oracle.Eager(project)
        assert eager(inputs.draw(project.network, project.sizes, 1))[0].size


@pytest.mark.needs_torch
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [*FOUR, *(pytest.param(one, marks=pytest.mark.long) for one in OTHERS)])
def test_a_network_of_the_list_builds_and_the_oracle_agrees(name: str, tmp_path: Path) -> None:
    """With all sizes fixed: four kinds of the list, and in `make test-long` of torchvision and timm, a text reader, a
    transformer and detectors.

    Two more of the list, a transformer for pictures and a small detector, are built by test_frameworks.py.
    """
    project = Project(tmp_path, NETWORKS[name], "fixed")
    project.write()
    outcome = project.build(["portable/fp32"], 600 if name in DETECTORS else 110)
    assert outcome.event.get("event") == "built", outcome
    eager = oracle.Eager(project)
    (session,) = [session for _, session in oracle.sessions(project.bundle)]
    judged = record.judged(oracle.judge(session, eager, project, {}))
    assert judged.error is not None
    assert not judged.wrong(int8=False), judged
