"""Bundles a box must not serve: each is refused with the reason, and the revision before it goes on."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest

from edgefn.api.deployments import ErrorEvent
from tests.e2e.box import Refused, RunningBox
from tests.e2e.bundles import Bundles


@pytest.fixture
def served(box: RunningBox, bundles: Bundles) -> Iterator[RunningBox]:
    """The shared box with `linear` on it; whatever a test sends, `linear` still answers right at its end."""
    good = box.deploy(bundles.of("linear"))
    yield box
    assert box.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]
    status = box.status("linear")
    assert (status.revision, status.number) == (good.revision, good.number)


def test_golden_samples_that_do_not_come_out(served: RunningBox, bundles: Bundles) -> None:
    """An artifact that disagrees with its golden samples never goes live; the figures are told."""
    (samples,) = bundles.golden_files("linear").values()
    arrays = dict(np.load(io.BytesIO(samples)))
    spoiled = {name: array + 0.5 * ("/out/" in name) for name, array in arrays.items()}
    file = io.BytesIO()
    np.savez(file, **spoiled)
    with pytest.raises(Refused) as refused:
        served.deploy(bundles.with_golden("linear", {"doubler": file.getvalue()}, title="spoiled"))
    assert "doubler" in refused.value.problem.detail


def test_a_handler_that_cannot_import(served: RunningBox, bundles: Bundles) -> None:
    """The deployment fails with the trace."""
    code = "from edgefn import edge_function\n\nimport a_module_of_nobody\n"
    with pytest.raises(Refused) as refused:
        served.deploy(bundles.with_code("linear", code, title="importless"))
    problem = refused.value.problem
    assert isinstance(problem, ErrorEvent)
    assert (problem.error, problem.exit_code) == ("DeploymentRefused", 9)
    assert "a_module_of_nobody" in (problem.trace or "")


def test_a_handler_that_leaves_while_it_is_imported(served: RunningBox, bundles: Bundles) -> None:
    """A module that ends its process is refused like one that raises, and soon."""
    with pytest.raises(Refused) as refused:
        served.deploy(bundles.with_code("linear", "import os\nos._exit(4)\n", title="leaving"))
    assert refused.value.problem.error == "DeploymentRefused"


def test_a_blob_that_is_not_what_its_digest_says(served: RunningBox, bundles: Bundles) -> None:
    """A damaged upload is refused as it ends (400), and nothing of it is kept."""
    bundle = bundles.with_code("linear", "# another\n", title="damaged")
    missing = [blob.digest for blob in bundle.blobs()]
    missing = served.admin("POST", "blobs/missing", json={"digests": missing}).json()["missing"]
    damaged = bytearray(bundle.blob_path(missing[0]).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    answer = served.admin("PUT", f"blobs/{missing[0]}", content=bytes(damaged))
    assert answer.status_code == 400, answer.text
    still = served.admin("POST", "blobs/missing", json={"digests": missing}).json()["missing"]
    assert missing[0] in still


def test_a_bundle_with_a_blob_missing(served: RunningBox, bundles: Bundles) -> None:
    """A deployment of what was not sent whole is refused, naming what is missing."""
    bundle = bundles.with_code("linear", "# not sent whole\n", title="incomplete")
    manifest = bundle.blob_path(bundle.manifest_digest).read_bytes()
    assert served.admin("PUT", f"blobs/{bundle.manifest_digest}", content=manifest).status_code == 201
    answer = served.admin("POST", "functions/linear/deploy", json={"manifest": bundle.manifest_digest})
    event = msgspec.json.decode(answer.text.splitlines()[-1])
    assert event.get("event", "error") == "error", event
    assert event["error"] == "BundleError", event


def test_a_manifest_that_is_none(served: RunningBox) -> None:
    """A digest that the box does not have, and a thing that is no digest, are refused in words (400)."""
    for digest in (f"sha256:{'0' * 64}", "../../etc/passwd", ""):
        answer = served.admin("POST", "functions/linear/deploy", json={"manifest": digest})
        event = msgspec.json.decode(answer.text.splitlines()[-1])
        assert event["status"] == 400, (digest, event)
        assert event["error"] in ("BundleError", "InputError"), (digest, event)


def test_a_bundle_under_another_name(served: RunningBox, bundles: Bundles) -> None:
    """A bundle is deployed under its own function's name only."""
    with pytest.raises(Refused):
        served.deploy(bundles.of("brief"), name="linear")


def test_rollback_brings_the_old_revision_back(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """After a second revision, a rollback serves the first again, at once."""
    box = new_box()
    first = box.deploy(bundles.of("brief"))
    code = "from edgefn import edge_function\n\n\n@edge_function\ndef brief() -> int:\n    return -2\n"
    second = box.deploy(bundles.with_code("brief", code, title="second"))
    assert second.number > first.number
    assert box.call("brief") == -2
    box.admin("POST", "functions/brief/rollback", json={}).raise_for_status()
    assert box.call("brief") > 0
    assert box.status("brief").revision == first.revision
