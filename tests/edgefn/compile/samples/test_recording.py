"""Golden samples are recorded from real requests, through the handler."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgefn.compile.samples.recording import Recorder, record
from edgefn.compile.samples.samples import InputSource, spread
from edgefn.errors import BuildError
from edgefn.function import load
from edgefn.golden import MAX_SAMPLES
from edgefn.model import models_of

pytestmark = pytest.mark.needs_torch

SOURCE = """
import numpy as np
from edgefn import edge_function, edge_model, tensor

@edge_model(inputs={{"x": tensor("float32", "batch", 2)}}, samples={samples})
def double():
    import torch
    network = torch.nn.Module()
    network.forward = lambda x: x * 2 + (x.log() if {nan} else 0)
    return network

@edge_function
{kind} triple(numbers: list[float]) -> list[float]:
    {body}
"""
CALL = "x = np.array([numbers], np.float32); y = double(x=x).sum(); x[:] = 0; return [float(y)]"


@pytest.fixture
def recorded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Recorder]]:
    """Writes a function, runs its samples, and gives the model's recorder."""
    folder = tmp_path / f"recorded_{abs(hash(request.node.name))}"
    (folder / "samples").mkdir(parents=True)

    def run(
        files: dict[str, bytes] | None = None,
        *,
        samples: str = '"samples/*.json"',
        body: str = CALL,
        kind: str = "def",
        nan: bool = False,
        calibration: object = None,
    ) -> Recorder:
        source = SOURCE.format(samples=samples, body=body, kind=kind, nan=nan)
        (folder / f"{folder.name}.py").write_text(source)
        for name, content in (files or {}).items():
            (folder / "samples" / name).write_bytes(content)
        function = load(folder)
        models = list(models_of(importlib.import_module(folder.name)).values())
        if calibration is None:
            return record(function, models, ["double"], folder)["double"]
        given = InputSource("calibration", calibration, 300)  # type: ignore[arg-type]  # some are wrong
        return record(function, models, ["double"], folder, source=lambda model: given)["double"]

    yield run
    sys.modules.pop(folder.name, None)
    sys.path.remove(str(folder))


def test_what_the_handler_gave_the_model_is_kept(recorded: Callable[..., Recorder]) -> None:
    """Samples are request bodies, in the order of their names; later changes to an array do not reach the record."""
    kept = recorded({"b.json": b"[3, 4]", "a.json": b"[1, 2]"}).kept
    assert [sample.inputs["x"].tolist() for sample in kept] == [[[1, 2]], [[3, 4]]]
    assert [sample.outputs["output"].tolist() for sample in kept] == [[[2, 4]], [[6, 8]]]


def test_an_async_handler_is_run_to_its_end(recorded: Callable[..., Recorder]) -> None:
    """`async def` handlers are recorded as others are."""
    assert len(recorded({"a.json": b"[1, 2]"}, kind="async def").kept) == 1


def test_an_npz_is_the_models_own_inputs(recorded: Callable[..., Recorder], tmp_path: Path) -> None:
    """.npz samples go to the model, past the handler."""
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2), np.float32))
    kept = recorded(
        {"a.npz": (tmp_path / "a.npz").read_bytes()}, samples='"samples/*.npz"', body="raise SystemExit"
    ).kept
    assert kept[0].outputs["output"].tolist() == [[2, 2]] * 3


def test_a_callable_yields_inputs(recorded: Callable[..., Recorder]) -> None:
    """samples= may be a callable; at most MAX_SAMPLES of what it yields are kept."""
    kept = recorded(samples='lambda: ({"x": np.full((1, 2), n, np.float32)} for n in range(100))').kept
    assert len(kept) == MAX_SAMPLES
    assert kept[1].inputs["x"][0, 0] == 100 // MAX_SAMPLES


@pytest.mark.parametrize(
    ("count", "indices"), [(3, [0, 1, 2]), (16, list(range(16))), (33, [2 * n for n in range(16)])]
)
def test_samples_are_spread_evenly(count: int, indices: list[int]) -> None:
    """All are taken up to the limit; past it, from the whole range."""
    assert spread(range(count), MAX_SAMPLES) == indices


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {"samples": "None"}, r"model double has no samples.*samples=\"samples/\*\.jpg\""),
        ({}, {}, r"'samples/\*\.json' matches no file in recorded_"),
        ({"a.json": b"[1, 2]"}, {"body": "return numbers"}, "none of its samples made the handler call it"),
        ({"a.json": b'["one"]'}, {}, r"sample a\.json of model double: "),
        ({"a.json": b"[1, 2, 3]"}, {}, r"sample a\.json of model double: model double, input 'x' has float32\[1, 3\]"),
        ({"a.json": b"[1, 2]"}, {"body": "1 / 0"}, r"sample a\.json of model double raised ZeroDivisionError"),
        ({"a.json": b"[1, 2]"}, {"body": "raise SystemExit(3)"}, r"sample a\.json of model double raised SystemExit"),
        ({"a.json": b"[-1, 2]"}, {"nan": True}, r"output 'output' .* holds NaN for a\.json"),
    ],
    ids=["none", "no match", "not called", "not decoded", "wrong shape", "raises", "exits", "nan"],
)
def test_samples_that_prove_nothing_fail_the_build(
    recorded: Callable[..., Recorder], files: dict[str, bytes], options: dict[str, object], message: str
) -> None:
    """A model without golden samples is never built, and the error says which sample and what to do."""
    with pytest.raises(BuildError, match=message):
        recorded(files, **options)


FOUND = "let it yield dicts of arrays, with 'x'$"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no/*.json", r"calibration='no/\*\.json' matches no file in .*: write @edge_model\(\.\.\., calibration="),
        (lambda: 1 / 0, r"calibration= of model double raised ZeroDivisionError: .*test_recording\.py.*1 / 0"),
        (lambda: None, f"calibration= of model double returns NoneType: {FOUND}"),
        (lambda: [], f"calibration= of model double yields nothing: {FOUND}"),
        (lambda: [np.zeros((1, 2))], f"calibration= of model double yields ndarray: {FOUND}"),
        (lambda: {"x": np.zeros((1, 2))}, f"calibration= of model double yields str: {FOUND}"),
        (lambda: [{"what": 1}], "calibration sample 0 of model double: model double has no input 'what'"),
        (lambda: [{1: 1}], "calibration sample 0 of model double raised TypeError: "),
        (
            lambda: [{"x": np.zeros((1, 3), np.float32)}],
            r"calibration sample 0 of model double: .* input 'x' has float32\[1, 3\], needs float32\[batch, 2\]",
        ),
        (lambda: [{"x": np.zeros((1, 2))}], r"input 'x' has float64\[1, 2\], needs float32\[batch, 2\]"),
        (
            lambda: [{"x": np.full((1, 2), n, np.float32)} for n in (1, np.nan)],
            "model double: input 'x' holds NaN or infinity in calibration sample 1.* fix the sample or leave it out",
        ),
    ],
    ids=["no match", "raises", "none", "nothing", "arrays", "a dict", "no input", "no name", "shape", "dtype", "nan"],
)
def test_calibration_inputs_that_are_none(recorded: Callable[..., Recorder], given: object, message: str) -> None:
    """Told by the option, the sample's number and the input, with what it has and what it needs."""
    with pytest.raises(BuildError, match=message):
        recorded({"a.json": b"[1, 2]"}, calibration=given)
