"""A bundle's way onto a box that is not at its best: each fault has its words and its exit code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import Response

from edgefn.bundle.oci.layout import Bundle
from tests.cli.conftest import TWICE

if TYPE_CHECKING:
    from tests.cli.conftest import Edgefn, StandIn

DEPLOY = "POST /admin/functions/twice/deploy"
MISSING = "POST /admin/blobs/missing"


@pytest.fixture
def deploy(edgefn: Edgefn, box: StandIn, bundle: Bundle) -> Callable[..., Any]:
    """Deploys the bundle to the stand-in, which lacks every blob and takes each."""
    digests = [blob.digest for blob in bundle.blobs()]
    layout = bundle.blob_path(digests[0]).parents[2]
    box.json("GET /admin/box", {"name": "here"})
    box.json(MISSING, {"missing": digests})
    for digest in digests:
        box.answers[f"PUT /admin/blobs/{digest}"] = Response(status_code=201)
    done = {"event": "deployed", "function": "twice", "revision": bundle.manifest_digest, "number": 1}
    box.events(DEPLOY, {"event": "step", "name": "verify", "done": 0, "total": 1}, {"event": "alive"}, done)
    return lambda *options: edgefn("deploy", "--bundle", layout, *options)


def test_each_missing_blob_goes_whole_and_with_its_length(
    deploy: Callable[..., Any], box: StandIn, bundle: Bundle
) -> None:
    """What arrives hashes to its digest; steps go to stderr, the result to stdout."""
    result = deploy("--json")
    assert result.code == 0, result.stderr
    for blob in bundle.blobs():
        ((body, headers),) = box.asked(f"PUT /admin/blobs/{blob.digest}")
        assert f"sha256:{hashlib.sha256(body).hexdigest()}" == blob.digest
        assert headers["content-length"] == str(blob.size)
    assert result.json["deployed"][0]["uploaded_bytes"] == sum(blob.size for blob in bundle.blobs())
    assert "verify" in result.stderr


def test_only_what_is_missing_goes(deploy: Callable[..., Any], box: StandIn, bundle: Bundle) -> None:
    """A box that has all but one gets one."""
    first, *rest = [blob.digest for blob in bundle.blobs()]
    box.json(MISSING, {"missing": [first]})
    assert deploy().code == 0
    assert box.asked(f"PUT /admin/blobs/{first}")
    assert not any(box.asked(f"PUT /admin/blobs/{digest}") for digest in rest)


@pytest.mark.parametrize(
    ("status", "error", "code"), [(507, "DiskFull", 12), (400, "BundleError", 3), (401, "Unauthorized", 7)]
)
def test_an_upload_that_the_box_refuses_ends_there(
    status: int, error: str, code: int, deploy: Callable[..., Any], box: StandIn, bundle: Bundle
) -> None:
    """Nothing is deployed after it."""
    box.problem(f"PUT /admin/blobs/{bundle.blobs()[-1].digest}", status, error=error, detail="no")
    assert deploy().code == code
    assert box.asked(DEPLOY) == []


def test_a_refusal_in_the_midst_keeps_its_class_and_trace(deploy: Callable[..., Any], box: StandIn) -> None:
    """The stream's last line is the error, whatever the HTTP status was when it began."""
    step = {"event": "step", "name": "start", "done": 0, "total": 1}
    error = {
        "event": "error",
        "error": "DeploymentRefused",
        "detail": "does not import",
        "trace": "Traceback\nKeyError",
    }
    box.events(DEPLOY, step, error)
    result = deploy()
    assert result.code == 9
    assert result.stderr.endswith("Traceback\nKeyError\nerror: does not import\n")
    assert deploy("--json").problem["trace"] == "Traceback\nKeyError"


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_what_the_function_asks_for_is_said_and_stays(
    terminal: bool, deploy: Callable[..., Any], box: StandIn, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever deploys reads it: a line of its own, above a bar that is gone afterwards."""
    steps = [
        {"event": "step", "name": name, "done": 1, "total": 1, "detail": detail}
        for name, detail in (("permit", "network, device /dev/video0"), ("start", ""), ("activate", ""))
    ]
    done = {"event": "deployed", "function": "twice", "revision": bundle.manifest_digest, "number": 1}
    box.events(DEPLOY, *steps, done)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    result = deploy()
    assert result.code == 0, result.stderr
    stays = [line for line in result.stderr.splitlines() if "permit" in line]
    assert [line.rstrip().endswith("deploy twice: permit network, device /dev/video0") for line in stays] == [True]


def test_a_stream_that_breaks_off_is_no_success(deploy: Callable[..., Any], box: StandIn) -> None:
    """A box that goes away while it deploys: code 5, and how to see what came of it."""
    box.events(DEPLOY, {"event": "step", "name": "start", "done": 0, "total": 1})
    result = deploy()
    assert result.code == 5
    assert "edgefn status twice" in result.stderr


def test_a_box_that_is_not_there_is_told_before_the_build(edgefn: Edgefn, box: StandIn, tmp_path: Path) -> None:
    """Building for a minute first would be a minute lost."""
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice" / "twice.py").write_text(TWICE)
    assert edgefn("deploy", "twice", "--box", "http://127.0.0.1:1").code == 5
    assert not (tmp_path / ".edgefn").exists()
