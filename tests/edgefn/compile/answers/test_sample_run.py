"""What the handler cannot answer does not go live: each sample is run as a box would run it."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgefn import InputError, edge_function, edge_model, tensor
from edgefn.compile.answers import sample_run
from edgefn.compile.answers.sample_run import SampleRun
from edgefn.compile.samples.samples import matched
from edgefn.errors import BuildError
from edgefn.model import EdgeModel
from tests.e2e.deadline import eventually


@edge_function
def acts(n: int) -> Any:
    if n < 0:
        raise InputError("n is below zero", field="n")
    return _ACTS.get(n, lambda: {"n": n})()


@edge_function
async def waits(n: int) -> int:
    return n + undefined_name  # type: ignore[name-defined, no-any-return] # noqa: F821


@edge_function(network=True)
def sends(n: int) -> int:
    raise AssertionError("a build sends nothing")


def _spin() -> None:
    while True:
        time.sleep(0.01)


NOTHING: dict[str, int] = {}
_ACTS: dict[int, Callable[[], Any]] = {
    1: lambda: NOTHING["key"],
    2: object,
    3: lambda: sys.exit(0),
    4: _spin,
    5: lambda: Path("words.txt").read_text(),
    6: lambda: time.sleep(0.2),
}


def run(function: Any, root: Path, **samples: object) -> SampleRun:
    """Run the function on `samples`, JSON by name; those that begin with "refused_" are to be refused."""
    (root / "samples" / "refused").mkdir(parents=True, exist_ok=True)
    (root / "words.txt").write_text("of the function's folder")
    for name, value in samples.items():
        place = root / "samples" / ("refused" if name.startswith("refused_") else "")
        (place / f"{name}.json").write_text(json.dumps(value))
    found = SampleRun(function, [], root, recorded=False)
    if found.wanted:
        found.run()
    return found


@pytest.mark.parametrize(
    ("function", "value", "problem"),
    [
        (acts, {"n": 1}, r"sample one\.json of function acts raised KeyError: 'key' \(File "),
        (acts, {"n": 2}, r"sample one\.json of function acts raised TypeError: the result cannot be sent: .*object"),
        (acts, {"n": 3}, r"sample one\.json of function acts raised SystemExit"),
        (acts, {"n": 4}, r"sample one\.json .* has no answer after 0 s \(File .*, in _spin: .*longer timeout="),
        (acts, {"m": 4}, r"sample one\.json of function acts: .*belongs into samples/refused/"),
        (acts, {"n": -1}, r"n is below zero\. A request that is to be refused belongs into samples/refused/"),
        (waits, {"n": 1}, r"raised NameError: name 'undefined_name' is not defined"),
    ],
    ids=["raises", "cannot be sent", "exits", "hangs", "cannot be read", "refuses", "async"],
)
def test_what_is_not_answered_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any, value: object, problem: str
) -> None:
    """With the sample, and the author's line."""
    monkeypatch.setattr(sample_run, "MIN_S", 0.2)
    monkeypatch.setattr(sample_run, "TIMES", 0)
    with pytest.raises(BuildError, match=problem):
        run(function, tmp_path, one=value)


@pytest.mark.parametrize("alarm_s", [0.05, 60.0])
def test_the_alarm_of_a_caller_goes_on(tmp_path: Path, alarm_s: float) -> None:
    """One that was due while the samples ran comes right after; a build inside of something with a limit keeps it."""
    rung: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    outer = signal.setitimer(signal.ITIMER_REAL, alarm_s)
    try:
        run(acts, tmp_path, one={"n": 6})
        if alarm_s < 1:
            eventually("the caller's alarm rings", lambda: rung)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *outer)
    assert bool(rung) == (alarm_s < 1)
    assert (left == 0) == bool(rung)
    assert left < 60


def test_what_is_answered_passes(tmp_path: Path) -> None:
    """In the function's folder, as on a box; files that are no request are passed over."""
    for name in ("README.md", ".hidden.json", "arrays.npz", "data.csv"):
        (tmp_path / "samples").mkdir(exist_ok=True)
        (tmp_path / "samples" / name).write_text("no request")
    found = run(acts, tmp_path, one={"n": 0}, two={"n": 5})
    assert [sample.name for sample in found.answered] == ["one.json", "two.json"]
    assert found.note == ""
    assert Path.cwd() != tmp_path


def test_what_is_to_be_refused_says_so_by_its_folder(tmp_path: Path) -> None:
    """By the handler or before it; one that is answered, or raises something else, is an error. No model sees them."""
    run(acts, tmp_path, refused_1={"n": -1}, refused_2={"m": 1}, refused_3=[])
    assert matched("samples/**/*.json", tmp_path) == []
    with pytest.raises(BuildError, match=r"samples/refused/refused_4\.json of function acts was answered"):
        run(acts, tmp_path, refused_4={"n": 0})
    with pytest.raises(BuildError, match="KeyError"):
        run(acts, tmp_path, refused_4={"n": 1})


def test_what_would_act_on_the_world_is_not_run(tmp_path: Path) -> None:
    """A function that may reach the network would send at each save; the report says that its samples were not run."""
    found = run(sends, tmp_path, one={"n": 1})
    assert not found.wanted
    assert found.note == "its samples were not run: the function reaches the network, and would act"
    assert run(sends, tmp_path / "none").note == ""


@edge_model(inputs={"x": tensor("float32", 4)}, samples="samples/*.npz")
def of_arrays() -> Any: ...


@edge_model(inputs={"x": tensor("float32", 4)}, samples="samples/o*.json")
def of_requests() -> Any: ...


def test_what_eager_has_been_called_with_is_not_run_again(tmp_path: Path) -> None:
    """Where the golden samples are older than the handler it is; beside arrays, files that it can read are."""
    (tmp_path / "samples").mkdir()
    for name, value in (("one", {"n": 1}), ("two", {"n": 1}), ("labels", [[1, 2]])):
        (tmp_path / "samples" / f"{name}.json").write_text(json.dumps(value))

    def names(model: EdgeModel, *, recorded: bool) -> list[str]:
        return [sample.name for sample in SampleRun(acts, [model], tmp_path, recorded=recorded).answered]

    assert names(of_requests, recorded=True) == []
    assert names(of_requests, recorded=False) == ["one.json"]
    assert names(of_arrays, recorded=True) == ["labels.json", "one.json", "two.json"]
    with pytest.raises(BuildError, match=r"sample one\.json of function acts raised KeyError"):
        SampleRun(acts, [of_arrays], tmp_path, recorded=True).run()
    for name in ("one", "two"):
        (tmp_path / "samples" / f"{name}.json").unlink()
    SampleRun(acts, [of_arrays], tmp_path, recorded=True).run()  # labels.json is no request
