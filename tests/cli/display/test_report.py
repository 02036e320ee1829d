"""The build's report as a table, and progress of compilers as lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from edgefn_cli.display import report
from edgefn_cli.display.progress import VerbProgress

INT8: dict[str, Any] = {
    "model": "net",
    "target": "x86-64-v3/int8",
    "backend": "onnxruntime",
    "status": "built",
    "size_bytes": 5_200_000,
    "opset": 20,
    "quantized": {"MatMul": 1, "Conv": 52},
    "kept": ["features.0"],
    "error": 0.031,
    "top1": 0.96,
    "latency_ratio": 0.187,
    "toolchain": {"onnxruntime": "1.32.0", "opset": "20"},
    "seconds": 42.0,
    "peak_bytes": 812_000_000,
    "cached": False,
    "reason": "",
    "warning": "calibrated on golden samples: give calibration=…",
}
SKIPPED: dict[str, Any] = {
    "model": "net",
    "target": "x86-64-v3/fp32@openvino",
    "backend": "openvino",
    "status": "skipped",
    "error": None,
    "latency_ratio": None,
    "reason": "pip install openvino",
}


def test_a_row_has_all_that_was_measured() -> None:
    """Size, agreement, latency, what is int8 and what stayed float, time and memory."""
    drawn = io.StringIO()
    Console(file=drawn, width=300).print(report.table([INT8, INT8 | {"cached": True}, SKIPPED]))
    heading, first, second, third = drawn.getvalue().splitlines()
    assert heading.split()[:4] == ["MODEL", "TARGET", "STATUS", "SIZE"]
    for figure in ("built", "5.2 MB", "3.1e-02", "96.0%", "0.19 × eager", " 20 ", "42.0 s", "812.0 MB"):
        assert figure in first
    assert "52 Conv, 1 MatMul; float: features.0" in first
    assert " cached " in second
    assert third.split() == ["net", "x86-64-v3/fp32@openvino", "skipped", *["-"] * 8]


def test_notes_say_what_figures_do_not() -> None:
    """What made them, what to mind about an artifact, and what to install for one that was skipped."""
    assert list(report.notes([INT8, SKIPPED])) == [
        "made with onnxruntime 1.32.0",
        "x86-64-v3/int8 of model net: calibrated on golden samples: give calibration=…",
        "x86-64-v3/fp32@openvino of model net was skipped: pip install openvino",
    ]


def test_notes_count_the_answers_that_match() -> None:
    """Counts, and what so many show; what the function itself is warned of stands beside it."""
    answers = {"matched": 15, "of": 16, "verdict": "not shown", "shown": 0.72}
    portable = {"model": "net", "target": "portable/fp32", "answers": answers | {"matched": 16}}
    assert list(report.notes([portable, INT8 | {"answers": answers, "warning": "", "toolchain": {}}])) == [
        "answers that match eager PyTorch's: portable/fp32 16 of 16, x86-64-v3/int8 15 of 16 "
        "(16 of 16 shows at least 0.83)"
    ]
    assert list(report.notes([SKIPPED | {"status": "built"}], "no request samples")) == ["no request samples"]


def test_notes_say_how_many_top_classes_agree() -> None:
    """With the interval and those that eager is sure of, so that no share is read alone; and which scores they are."""
    words = "top class equal in 14 of 16 rows (95 % interval 0.64 to 0.97), 3 of 3 where eager is sure"
    model = {"model": "net", "classes": {"scores": "class scores along axis 1: a softmax makes it"}}
    row = INT8 | {"top_class": words, "warning": "", "toolchain": {}}
    assert list(report.notes([row, SKIPPED | {"status": "built"}], models=[model, {"model": "other"}])) == [
        "model net: scores has class scores along axis 1: a softmax makes it",
        f"x86-64-v3/int8: {words}",
    ]


def test_each_compiler_is_a_line_in_a_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    """As it starts, and at its end when something was wrong; stdout stays empty."""
    running = {"event": "compiler", "doing": "compile", "model": "net", "target": "a/int8"}
    with VerbProgress() as progress:
        progress.build_event("talk", running | {"state": "started"})
        progress.build_event("talk", running | {"state": "ended", "status": "timed out"})
        progress.build_event("talk", running | {"target": "b/fp32", "state": "started"})
        progress.build_event("talk", running | {"target": "b/fp32", "state": "ended", "status": "built"})
    written = capsys.readouterr()
    assert written.err.splitlines() == [
        "build talk: compile net for a/int8",
        "build talk: compile net for a/int8: timed out",
        "build talk: compile net for b/fp32",
    ]
    assert written.out == ""


def test_compilers_that_run_side_by_side_have_a_bar_each_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar of its own for each, gone when it has ended; the build's own stays."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    running = {"event": "compiler", "doing": "compile", "model": "net", "state": "started"}
    with VerbProgress() as progress:
        progress.build_event("talk", {"event": "step", "name": "compile", "done": 3, "total": 6})
        for target in ("a/int8", "b/fp32"):
            progress.build_event("talk", running | {"target": target})
        assert progress._bars is not None
        assert len(progress._bars.task_ids) == 3
        progress.build_event("talk", running | {"target": "a/int8", "state": "ended", "status": "killed"})
        shown = [task.description for task in progress._bars.tasks]
    assert shown == ["build talk: compile", "build talk: compile net for b/fp32"]


def test_lengths_that_a_model_takes_are_told() -> None:
    """Of models whose free dimensions may not have any length."""
    models = [
        {"model": "net", "ranges": {"length": {"max": 512}, "width": {"min": 32, "multiple_of": 32}}},
        {"model": "other", "ranges": {}},
    ]
    assert list(report.lengths(models)) == ["model net takes length: 1 to 512, width: a multiple of 32"]


def test_what_was_changed_in_a_network_is_said() -> None:
    """A model's notes stand first, each with the model's name."""
    model = {"model": "net", "notes": ["2 tensors of bfloat16 became float32"]}
    assert next(report.notes([], models=[model])) == "model net: 2 tensors of bfloat16 became float32"
