"""The build child, here a small real program in its place: its events, its crashes and its end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgefn.errors import BuildError, BundleError, GateError
from edgefn_cli.display.failures import MissingExtra, trace_of
from edgefn_cli.project.building import Builder, BuildRequest, BuildResult, Seen, built_last, follow, partial
from edgefn_cli.project.compiler import Compiler

if TYPE_CHECKING:
    from edgefn.bundle.oci.layout import Bundle

ORDER = BuildRequest(Path("echo"), Path("layout"))


def _build(code: str, seen: Seen) -> BuildResult:
    """Runs `code` where the compiler would run."""
    with Compiler([sys.executable, "-c", code]) as child:
        return follow(child, ORDER, seen)


def _ignore(function: str, event: dict[str, Any]) -> None:
    pass


def test_the_command_line_says_what_the_order_says(tmp_path: Path) -> None:
    """No option is lost on the way to the compiler."""
    order = BuildRequest(tmp_path / "f", tmp_path / "out", tmp_path / "edgefn.toml", reuse_golden=True, force=True)
    told = order.arguments()
    assert told[0] == str(tmp_path / "f")
    assert told[1:] == ["--output", f"{tmp_path}/out", "--project", f"{tmp_path}/edgefn.toml", *told[-2:]]
    assert told[-2:] == ["--reuse-golden", "--force"]
    several = BuildRequest(
        tmp_path / "f", tmp_path / "out", targets=("a/fp32", "all-native"), timeout="5min"
    ).arguments()
    dashed = BuildRequest(tmp_path / "f", tmp_path / "out", targets=("-v3/fp32",), timeout="-5s").arguments()
    assert dashed[3:] == ["--target=-v3/fp32", "--timeout=-5s"]
    assert several[3:] == ["--target=a/fp32", "--target=all-native", "--timeout=5min"]


def test_events_come_as_they_happen_and_chatter_is_left_out() -> None:
    """Lines that are not events (a library that prints) do not disturb."""
    seen: list[tuple[str, str]] = []
    code = """if True:
        print("a library says hello"); print('"text"'); print('{"no": "event"}')
        print('{"event": "step", "name": "inspect", "done": 0, "total": 2}')
        print('{"event": "built", "digest": "sha256:1", "function": "echo", "cached": true, "report": {"n": 1}}')"""
    built = _build(code, lambda function, event: seen.append((function, event["event"])))
    assert seen == [("echo", "step"), ("echo", "built")]
    assert (built.digest, built.function, built.cached, built.report) == ("sha256:1", "echo", True, {"n": 1})


def test_a_build_without_some_artifact_is_partial() -> None:
    """The error names those that are missing, with their reasons; what was skipped is not missing."""
    rows = [
        {"target": "portable/fp32", "status": "built"},
        {"target": "a/int8", "status": "dropped", "reason": "a/int8 of model net is too far off"},
        {"target": "b/fp32", "status": "skipped", "reason": "pip install b"},
    ]
    whole = BuildResult("sha256:1", "echo", cached=False, layout=Path("layout"), report={"artifacts": rows[::2]})
    lacking = BuildResult("sha256:2", "talk", cached=False, layout=Path("layout"), report={"artifacts": rows})
    assert partial([whole]) is None
    error = partial([whole, lacking])
    assert error is not None
    assert error.exit_code == 13
    assert str(error) == "talk was built without 1 of its 3 artifacts: a/int8 of model net is too far off"


def test_the_compilers_error_is_ours_with_its_trace() -> None:
    """Class, words and trace survive the way out of the child."""
    code = """if True:
        import sys
        print('{"event": "error", "error": "GateError", "detail": "too far off", "trace": "Traceback"}')
        sys.exit(4)"""
    with pytest.raises(GateError, match="too far off") as caught:
        _build(code, _ignore)
    assert trace_of(caught.value) == "Traceback"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL.*memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import sys; print('last words', file=sys.stderr); sys.exit(3)", "code 3"),
        ("pass", "code 0"),
        ('print(\'{"event": "step", "name": "x"}\')', "no result"),
    ],
)
def test_a_child_that_gives_no_result_is_a_failed_build(code: str, says: str) -> None:
    """A crash in native code, the kernel's memory killer, a silent end: told, never taken for a success."""
    with pytest.raises(BuildError, match=says) as caught:
        _build(code, _ignore)
    if "last words" in code:
        assert trace_of(caught.value) == "last words"


def test_a_builder_builds_by_the_child_that_waits(tmp_path: Path) -> None:
    """Started ahead or not, the result is the same; a child that died while it waited is replaced."""
    (tmp_path / "twice").mkdir()
    source = tmp_path / "twice" / "twice.py"
    source.write_text("from edgefn import edge_function\n@edge_function\ndef twice(n: int) -> int:\n    return 2 * n\n")
    order = BuildRequest(tmp_path / "twice", tmp_path / "layout")
    with Builder() as builder:
        first = builder.build(order, _ignore)
        builder.prepare()
        assert builder.build(order, _ignore).digest == first.digest
        builder.prepare()
        assert builder._next is not None
        builder._next._process.kill()
        builder._next._process.wait()
        assert builder.build(order, _ignore).digest == first.digest
        source.write_text("def (")
        builder.prepare()
        with pytest.raises(BuildError, match="SyntaxError"):
            builder.build(order, _ignore)
        builder.prepare()
        waiting = builder._next
    assert waiting._process.poll() is not None


def test_without_the_compile_extra_the_pip_command_is_told() -> None:
    """However the child came to say it."""
    with pytest.raises(MissingExtra, match=r"torch.*pip install 'edgefn\[compile\]'"):
        _build("raise ModuleNotFoundError(\"No module named 'torch'\")", _ignore)
    event = '{"event": "error", "error": "BuildError", "detail": "No module named \'onnx\'"}'
    with pytest.raises(MissingExtra, match=r"onnx.*edgefn\[compile\]"):
        _build(f"print({event!r})", _ignore)


def test_an_interrupted_build_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the child and what it has started itself (pip), though the child ignores the signal."""
    note = tmp_path / "pids"
    code = f"""if True:
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open({str(note)!r} + "~", "w").write(f"{{os.getpid()}} {{other.pid}}")
        os.rename({str(note)!r} + "~", {str(note)!r})
        print('{{"event": "step", "name": "begun"}}', flush=True)
        time.sleep(60)"""

    def interrupt(function: str, event: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    monkeypatch.setattr("edgefn_cli.project.compiler.STOP_S", 0.2)
    with pytest.raises(KeyboardInterrupt):
        _build(code, interrupt)
    assert time.monotonic() - began < 20
    for pid in map(int, note.read_text().split()):
        _gone(pid)


def _gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == "Z":
            return
        threading.Event().wait(0.02)
    os.kill(pid, signal.SIGKILL)
    pytest.fail(f"process {pid} of the build was still there after 10 s")


def test_what_was_built_last_is_of_the_very_folder(bundle: Bundle, tmp_path: Path) -> None:
    """Another folder's function of the same name is not deployed in its place; a layout may move with its project."""
    layout = bundle.blob_path(bundle.manifest_digest).parents[2]
    built = layout.parent / "twice"
    assert built_last(BuildRequest(built, layout)).manifest_digest == bundle.manifest_digest
    with pytest.raises(BundleError, match=rf"twice in .* was built from {built}: build {tmp_path}/twice anew"):
        built_last(BuildRequest(tmp_path / "twice", layout))
    shutil.copytree(layout.parent, tmp_path / "moved")
    moved = built_last(BuildRequest(tmp_path / "moved" / "twice", tmp_path / "moved" / "layout"))
    assert moved.manifest_digest == bundle.manifest_digest
    shutil.rmtree(tmp_path / "moved" / "layout" / "reports")
    assert built_last(BuildRequest(tmp_path / "else" / "twice", tmp_path / "moved" / "layout"))
