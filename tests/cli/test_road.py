"""The verbs against a real box and the real compiler, in the order a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgefn_cli.boxes.local_box import LocalBox

    from .conftest import Edgefn


def _make(edgefn: Edgefn, name: str, *options: str) -> Path:
    """A new plain function; its source file."""
    assert edgefn("init", name, "--template", "plain", *options).code == 0
    return Path(name, f"{name}.py")


def _answer(edgefn: Edgefn, name: str) -> int:
    result = edgefn("invoke", name, "--json", '{"n": 1}')
    assert result.code == 0, result.stderr
    answer = result.json["n"]
    assert isinstance(answer, int)
    return answer


def test_from_init_to_remove(edgefn: Edgefn, real_box: LocalBox) -> None:
    """Made, deployed, called, looked at, stopped, changed, rolled back, removed."""
    source = _make(edgefn, "road")
    first = edgefn("deploy", "road", "--json").json["deployed"][0]
    assert first["function"] == "road"
    assert first["url"] == f"{real_box.address.url}/fn/road"
    assert first["warnings"] == []
    assert first["uploaded_bytes"] > 0
    assert _answer(edgefn, "road") == 2
    assert "road" in edgefn("list").stdout.decode()

    source.write_text(source.read_text().replace("n + 1", "n + 10").replace('"""The', 'print("asked")\n    """The'))
    second = edgefn("deploy", "--json").json["deployed"][0]
    assert second["number"] == first["number"] + 1
    assert _answer(edgefn, "road") == 11
    assert "asked" in edgefn("logs", "road").stdout.decode()
    record = json.loads(edgefn("logs", "road", "-n", "1", "--json").stdout.splitlines()[-1])
    assert record["text"] == "asked"

    status = edgefn("status", "road", "--json").json
    assert (status["number"], status["revision"]) == (second["number"], second["revision"])
    assert f"{second['number']} (" in edgefn("status", "road").stdout.decode()
    assert edgefn("stop", "road", "--json").json["instances"] == []
    assert _answer(edgefn, "road") == 11

    assert edgefn("rollback", "road", "--json").json["revision"] == first["revision"]
    assert _answer(edgefn, "road") == 2
    assert edgefn("remove", "road", "--yes").code == 0
    assert edgefn("invoke", "road", "--json", '{"n": 1}').code == 6


def test_what_the_box_has_is_not_sent_again(edgefn: Edgefn, real_box: LocalBox) -> None:
    """An unchanged function is neither built nor uploaded a second time."""
    _make(edgefn, "unchanged")
    assert edgefn("deploy", "unchanged", "--json").json["deployed"][0]["uploaded_blobs"] > 0
    assert edgefn("build", "unchanged", "--json").json["built"][0]["cached"] is True
    assert edgefn("deploy", "unchanged", "--json").json["deployed"][0]["uploaded_blobs"] == 0


def test_a_bundle_needs_no_sources(edgefn: Edgefn, real_box: LocalBox, tmp_path: Path) -> None:
    """Built here, carried away as a directory, deployed from there; and --no-build takes what was built last."""
    source = _make(edgefn, "carried")
    built = edgefn("build", "carried", "--output", tmp_path / "stick", "--json").json["built"][0]
    shipped = edgefn("deploy", "--bundle", f"{tmp_path / 'stick'}:carried", "--json").json["deployed"][0]
    assert shipped["revision"] == built["digest"]
    assert edgefn("deploy", "--bundle", tmp_path / "stick").code == 0
    assert edgefn("deploy", "--bundle", f"{tmp_path / 'stick'}:other").code == 3
    assert edgefn("deploy", "carried", "--bundle", tmp_path / "stick").code == 2
    assert edgefn("deploy", "carried", "--no-build").code == 3
    assert edgefn("build").code == 0
    source.write_text(source.read_text().replace("n + 1", "n + 5"))
    assert edgefn("deploy", "carried", "--no-build").code == 0
    assert _answer(edgefn, "carried") == 2


def test_targets_are_for_what_is_built(edgefn: Edgefn, real_box: LocalBox) -> None:
    """A mistyped one is told before anything is built, and none is taken with what was built before."""
    _make(edgefn, "aimed")
    wrong = edgefn("deploy", "aimed", "--target", "all-nativ")
    assert wrong.code == 2
    assert "did you mean" in wrong.stderr
    assert edgefn("deploy", "aimed", "--target", "portable/fp32", "--timeout", "5min").code == 0
    refused = edgefn("deploy", "aimed", "--no-build", "--target", "portable/fp32")
    assert refused.code == 2
    assert "--target and --timeout need a build" in refused.stderr


def test_a_handler_that_does_not_import_changes_nothing(edgefn: Edgefn, real_box: LocalBox) -> None:
    """The trace is shown, the exit code is that of a failed build, and the revision before goes on."""
    source = _make(edgefn, "broken")
    assert edgefn("deploy", "broken").code == 0
    source.write_text(source.read_text() + "\nimport no_such_module_at_all\n")
    result = edgefn("deploy", "broken")
    assert result.code == 8
    assert "no_such_module_at_all" in result.stderr.splitlines()[-1]
    assert 'broken.py", line' in result.stderr
    told = edgefn("deploy", "broken", "--json")
    assert "no_such_module_at_all" in told.problem["trace"]
    assert _answer(edgefn, "broken") == 2


def test_a_handler_that_does_not_import_on_the_box_changes_nothing(edgefn: Edgefn, real_box: LocalBox) -> None:
    """What works on this machine and not there is refused by the box, with the trace, and code 9."""
    source = _make(edgefn, "elsewhere")
    assert edgefn("deploy", "elsewhere").code == 0
    lines = "\nimport os\nif 'bundles' in __file__:\n    raise RuntimeError('not here')\n"
    source.write_text(source.read_text() + lines)
    result = edgefn("deploy", "elsewhere")
    assert result.code == 9, result.stderr
    assert "RuntimeError: not here" in result.stderr
    assert _answer(edgefn, "elsewhere") == 2


def test_an_input_of_the_wrong_type_names_the_field(edgefn: Edgefn, real_box: LocalBox) -> None:
    """The function's own 400 comes out as code 2 with its words."""
    _make(edgefn, "typed")
    assert edgefn("deploy", "typed").code == 0
    result = edgefn("invoke", "typed", "--json", '{"n": "one"}')
    assert result.code == 2
    assert "n:" in result.stderr


def test_nothing_to_build_says_what_to_name(edgefn: Edgefn) -> None:
    """Without a path and without an edgefn.toml; and for a path that is no function's folder."""
    assert edgefn("build").code == 2
    result = edgefn("build", "nowhere")
    assert result.code == 2
    assert "nowhere.py" in result.stderr


@pytest.mark.long
@pytest.mark.needs_torch
def test_a_model_is_built_proved_and_served(edgefn: Edgefn, real_box: LocalBox) -> None:
    """The template with a network: the report tells its figures, the box proves it, and it answers."""
    assert edgefn("init", "sharpness").code == 0
    # A target of the project's own that ONNX Runtime does not lower for.
    Path("targets").mkdir()
    runtimes = '[[runtimes]]\nbackend = "onnxruntime"\nprecisions = ["fp16"]\n'
    Path("targets", "mine.toml").write_text(f'description = "mine"\n\n{runtimes}')
    built = edgefn("build")
    assert built.code == 0, built.stderr
    assert "portable/fp32" in built.stdout.decode()
    assert "× eager" in built.stdout.decode()
    deployed = edgefn("deploy", "sharpness")
    assert deployed.code == 0, deployed.stderr
    answer = edgefn("invoke", "sharpness", "--file", "sharpness/samples/sharp.png")
    assert answer.json["is_sharp"] is True
    (artifact,) = edgefn("status", "sharpness", "--json").json["artifacts"]
    assert artifact["max_error"] < 1e-3

    partial = edgefn("build", "--target", "mine/fp16", "--json")
    assert partial.code == partial.problem["exit_code"] == 13, partial.stderr
    assert "cannot build model edges for mine/fp16" in partial.problem["detail"]
    rows = partial.json["built"][0]["report"]["artifacts"]
    assert [(row["target"], row["status"]) for row in rows] == [("portable/fp32", "built"), ("mine/fp16", "failed")]
    with Path("edgefn.toml").open("a") as file:
        file.write('\n[build]\ntargets = ["mine/fp16"]\n')
    again = edgefn("deploy", "sharpness")
    assert again.code == 0, again.stderr
    assert "warning: sharpness was built without 1 of its 2 artifacts: " in again.stderr
    assert "cannot build model edges for mine/fp16" in again.stderr


def test_what_breaks_clients_is_a_warning(edgefn: Edgefn, real_box: LocalBox) -> None:
    """A parameter that the predecessor had not is served beside it; one without a default is told, and deployed."""
    source = _make(edgefn, "grows")
    assert edgefn("deploy", "grows").code == 0
    before = source.read_text()
    source.write_text(before.replace("n: int", "n: int, unit: str = 'C'"))
    assert edgefn("deploy", "grows", "--json").json["deployed"][0]["warnings"] == []
    assert edgefn("invoke", "grows", "--json", "1").json["n"] == 2
    source.write_text(before.replace("n: int", "n: int, unit: str"))
    assert "missing" in edgefn("build", "grows").stderr, "the sample is a client of before, too"
    (source.parent / "samples" / "one.json").write_text('{"n": 1, "unit": "C"}')
    told = edgefn("deploy", "grows")
    assert told.code == 0
    assert "warning: grows, clients of revision 2: unit lost its default" in told.stderr
