"""A function's artifacts on a real box, as the verbs tell of them: what serves, what does not, what would help."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgefn.bundle.config import ArtifactEntry
from edgefn.targets.matcher import OTHERS as OTHERS_FIX
from edgefn.targets.needs import Needs
from tests.e2e import engines
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

if TYPE_CHECKING:
    from .conftest import Edgefn

SWIFT, PORTABLE = engines.SWIFT.target, engines.PORTABLE.target
FULL_NAME = f"{engines.SWIFT.model} {SWIFT}"


@pytest.fixture
def library(tmp_path: Path) -> engines.Library:
    """An engine that one artifact of the function needs; a box has it where it is started with it."""
    return engines.Library(tmp_path / "library")


@pytest.fixture
def deploy(edgefn: Edgefn, tmp_path: Path) -> list[str]:
    """The words that deploy the function."""
    engines.bundle(tmp_path / "bundle")
    return ["deploy", "--bundle", f"{tmp_path / 'bundle' / 'layout'}:{engines.NAME}"]


@pytest.fixture
def start(edgefn: Edgefn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunningBox]]:
    """Starts the test's box, where `edgefn` finds it by itself; with the `library`, if one is given."""
    started = []

    def begin(library: engines.Library | None = None) -> RunningBox:
        box = RunningBox(tmp_path / "box", before=library.before if library else ())
        started.append(box.__enter__())
        monkeypatch.setenv("EDGEFN_BOX", box.url)
        monkeypatch.setenv("EDGEFN_HOME", str(box.home))
        return box

    yield begin
    for box in started:
        box.__exit__(None, None, None)


def test_a_library_that_is_not_installed(edgefn: Edgefn, start: Callable[..., RunningBox], deploy: list[str]) -> None:
    """Explain has the refusal in its four parts, and the text names the artifact once and what helps."""
    start()
    assert edgefn(*deploy, "--wait").code == 0
    refusal = {"artifact": FULL_NAME, "needs": "swift", "has": "no swift", "fix": OTHERS_FIX}
    told = edgefn("explain", engines.NAME, "--json").json
    assert told["refusals"] == [refusal]
    assert {one["target"]: one["state"] for one in told["artifacts"]} == {PORTABLE: "serving", SWIFT: "refused"}
    text = edgefn("explain", engines.NAME).stdout.decode()
    assert f"- {FULL_NAME}: needs swift, this box has no swift: {OTHERS_FIX}\n" in text
    assert f"- {FULL_NAME} is in the bundle and needs swift: {OTHERS_FIX}\n" in text


def test_a_library_that_has_gone(
    edgefn: Edgefn, start: Callable[..., RunningBox], library: engines.Library, deploy: list[str]
) -> None:
    """Deleted under a box that served with it: explain says why it is left, and how to get it back."""
    box = start(library)
    assert edgefn(*deploy, "--wait").code == 0
    box.stop_function(engines.NAME)
    library.delete()
    assert box.call(engines.NAME, n=21) == 42
    told = edgefn("explain", engines.NAME, "--json").json
    assert [(one["artifact"], one["fix"]) for one in told["refusals"]] == [(FULL_NAME, OTHERS_FIX)]
    assert OTHERS_FIX in edgefn("explain", engines.NAME).stdout.decode()
    assert FULL_NAME in edgefn("status", engines.NAME).stdout.decode()


def test_wait_until_the_best_artifact_serves(
    edgefn: Edgefn, start: Callable[..., RunningBox], library: engines.Library, deploy: list[str]
) -> None:
    """It returns not before, and says meanwhile what is on its way; nothing is left to finish."""
    box = start(library)
    library.hold_at("finish")
    returned = threading.Event()
    held: list[bool] = []

    def let() -> None:
        try:
            eventually("it is on its way", lambda: bool((at := box.status(engines.NAME).finishing) and at.artifact))
            held.append(not returned.wait(1.0))
        finally:
            library.hold_at("")

    assert edgefn(*deploy).code == 0  # live at once
    other = threading.Thread(target=let)
    other.start()
    result = edgefn(*deploy, "--wait", "--json")
    returned.set()
    other.join()
    assert (result.code, held) == (0, [True])
    assert result.json["deployed"][0]["finishing"] == 0
    assert f"finish {engines.NAME}: {FULL_NAME}" in result.stderr
    assert [one.target for one in box.status(engines.NAME).artifacts] == [SWIFT]


def test_wait_for_what_cannot_be_finished(
    edgefn: Edgefn, start: Callable[..., RunningBox], library: engines.Library, deploy: list[str]
) -> None:
    """The function is live, and the exit code is not 0: the error names the artifact and what became of it."""
    box = start(library)
    library.abort_at("finish")
    result = edgefn(*deploy, "--wait")
    assert result.code == 14
    assert f"revision 1 is live at {box.url}" in result.stdout.decode()
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        f"error: {engines.NAME} is deployed, but the box could not finish 1 of its artifacts: {FULL_NAME}: "
    )
    assert "SIGABRT" in last
    assert box.call(engines.NAME, n=21) == 42


OTHERS = {
    "cortex-a72/int8": (Needs("aarch64"), "a CPU of aarch64", "deploy to a box of that kind"),
    "x86-64-v3/fp32@onnxruntime": (
        Needs(library="onnxruntime", versions="<1"),
        "onnxruntime<1",
        OTHERS_FIX,
    ),
    "rk3588/int8": (None, "the target rk3588/int8", "update edgefn on this box"),
}


def test_artifacts_for_other_boxes(edgefn: Edgefn, start: Callable[..., RunningBox], tmp_path: Path) -> None:
    """Another CPU, another version of a library, a target of a later edgefn: none is finished, each says what helps."""
    box = start()
    more = tuple(ArtifactEntry(engines.PORTABLE.model, name, "onnxruntime", needs=OTHERS[name][0]) for name in OTHERS)
    engines.bundle(tmp_path / "bundle", more=more)
    assert edgefn("deploy", "--bundle", f"{tmp_path / 'bundle' / 'layout'}:{engines.NAME}", "--wait").code == 0
    told = edgefn("explain", engines.NAME, "--json").json
    refusals = {one["artifact"].removeprefix("double "): one for one in told["refusals"]}
    text = edgefn("explain", engines.NAME).stdout.decode()
    for target, (_, needs, fix) in OTHERS.items():
        assert refusals[target]["needs"] == needs
        assert fix in refusals[target]["fix"]
        assert f"- double {target}: needs {needs}, this box has {refusals[target]['has']}: " in text
    states = {one["target"]: one["state"] for one in told["artifacts"]}
    assert states == {PORTABLE: "serving", SWIFT: "refused"} | dict.fromkeys(OTHERS, "refused")
    assert box.call(engines.NAME, n=21) == 42


@pytest.mark.parametrize("how", ["bytes", "engine"])
def test_an_artifact_that_computes_wrongly(
    edgefn: Edgefn, start: Callable[..., RunningBox], library: engines.Library, tmp_path: Path, how: str
) -> None:
    """Its bytes exchanged, or an engine at fault: never served, and status and explain have figure and bound."""
    if how == "engine":
        library.compute_wrongly()
    box = start(library)
    engines.bundle(tmp_path / "bundle", factor=3 if how == "bytes" else 2)
    assert edgefn("deploy", "--bundle", f"{tmp_path / 'bundle' / 'layout'}:{engines.NAME}", "--wait").code == 0
    told = {one["target"]: one for one in edgefn("explain", engines.NAME, "--json").json["artifacts"]}
    figures = told[SWIFT]["reason"]
    assert "of its spread between samples, but only 0.01 % is allowed" in figures
    assert (told[SWIFT]["state"], told[PORTABLE]["state"]) == ("out of bound", "serving")
    assert f"- {FULL_NAME}: {figures}" in edgefn("explain", engines.NAME).stdout.decode()
    status = edgefn("status", engines.NAME, "--json").json
    assert (status["broken"], status["out_of_bound"]) == ([], [{"artifact": FULL_NAME, "reason": figures}])
    assert "out of bound" in edgefn("status", engines.NAME).stdout.decode()
    assert box.call(engines.NAME, n=21) == 42
