"""The ONNX Runtime backend: finish and load, without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgefn import backends
from edgefn.errors import BundleError

ROWS, COLUMNS = 64, 32


@pytest.fixture
def portable(tmp_path: Path) -> Path:
    """A folder with a portable model: y = relu(x @ w), w of 8 kB."""
    weights = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", ROWS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", COLUMNS])],
        [numpy_helper.from_array(weights, "w")],
    )
    folder = tmp_path / "portable"
    folder.mkdir()
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "model.onnx"
    )
    return folder


def test_the_finished_artifact_computes_what_the_portable_one_does(portable: Path, tmp_path: Path) -> None:
    """Finishing changes the file and not the function, for any batch."""
    backend: Any = backends.get("onnxruntime")
    backend.finish(portable, tmp_path / "finished")
    finished, plain = backend.load(tmp_path / "finished"), backend.load(portable)
    for batch in (1, 2, 7):
        x = np.random.default_rng(batch).standard_normal((batch, ROWS)).astype(np.float32)
        np.testing.assert_allclose(finished.run({"x": x})["y"], plain.run({"x": x})["y"], rtol=1e-6, atol=1e-6)


def test_finished_weights_lie_in_a_file_of_their_own(portable: Path, tmp_path: Path) -> None:
    """The weights are not in the protobuf: a file that all processes map holds them."""
    backends.get("onnxruntime").finish(portable, tmp_path / "finished")
    model, data = (tmp_path / "finished" / name for name in ("finished.onnx", "finished.onnx.data"))
    assert data.stat().st_size >= ROWS * COLUMNS * 4
    assert model.stat().st_size < 2000


def test_the_finished_artifact_may_be_moved(portable: Path, tmp_path: Path) -> None:
    """A finished folder is renamed into place: nothing in it holds its path."""
    backend = backends.get("onnxruntime")
    backend.finish(portable, tmp_path / "finished.tmp")
    (tmp_path / "finished.tmp").rename(tmp_path / "finished")
    outputs = backend.load(tmp_path / "finished").run({"x": np.zeros((1, ROWS), np.float32)})
    assert outputs["y"].shape == (1, COLUMNS)


@pytest.mark.parametrize("damage", [b"", b"not a model"])
def test_a_damaged_artifact_is_a_bundle_error(portable: Path, damage: bytes) -> None:
    """What does not load is named, whatever class the engine raises."""
    (portable / "model.onnx").write_bytes(damage)
    with pytest.raises(BundleError, match=r"model\.onnx"):
        backends.get("onnxruntime").load(portable)


def test_a_missing_artifact_is_a_bundle_error(tmp_path: Path) -> None:
    """A folder without a model is refused by name."""
    with pytest.raises(BundleError, match=r"model\.onnx"):
        backends.get("onnxruntime").load(tmp_path)


def test_a_process_with_a_session_has_one_thread_and_its_fork_runs_it(portable: Path, tmp_path: Path) -> None:
    """Importing onnxruntime, loading and running make no thread, so a fork loses none. (1.32's telemetry is one.)"""
    backends.get("onnxruntime").finish(portable, tmp_path / "finished")
    code = f"""
import os, sys
import numpy as np
from pathlib import Path
from edgefn import backends
session = backends.get("onnxruntime").load(Path({str(tmp_path / "finished")!r}))
x = np.ones((1, {ROWS}), np.float32)
y = session.run({{"x": x}})["y"]
threads = len(os.listdir("/proc/self/task"))
assert threads == 1, f"{{threads}} threads"
child = os.fork()
if child == 0:
    os._exit(not np.array_equal(session.run({{"x": x}})["y"], y))
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    # NumPy's OpenBLAS makes a thread for each core unless it is told not to: the zygote's environment has this too.
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, env=environment | {"OPENBLAS_NUM_THREADS": "1"}
    )


def test_finishing_and_loading_say_nothing(portable: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The engine's warning that a finished file is for this machine only is not shown: that is its purpose."""
    backend = backends.get("onnxruntime")
    backend.finish(portable, tmp_path / "finished")
    backend.load(tmp_path / "finished")
    assert capfd.readouterr() == ("", "")


WRITES = "session.optimized_model_external_initializers_file_name"
FOLDER = "session.model_external_initializers_file_folder_path"


@pytest.mark.parametrize(
    "session",
    [
        {WRITES: "../../token"},
        {FOLDER: "/etc"},
        {"session.x64quantprecision": "2"},
        {"session.load_model_format": "ORT"},
        {"ep.context_file_path": "/tmp/x"},
    ],
    ids=["writes", "reads", "another value", "another format", "a context"],
)
def test_settings_that_edgefn_does_not_write_are_refused(
    portable: Path, tmp_path: Path, session: dict[str, str]
) -> None:
    """Nothing is read or written by an entry of a hostile bundle: the artifact does not load at all."""
    (tmp_path / "token").write_text("secret")
    (portable / "settings.json").write_text(json.dumps({"precision": "fp32", "session": session}))
    backend: Any = backends.get("onnxruntime")
    with pytest.raises(BundleError, match="which edgefn sets in no artifact"):
        backend.finish(portable, tmp_path / "finished")
    with pytest.raises(BundleError, match="which edgefn sets in no artifact"):
        backend.load(portable)
    assert (tmp_path / "token").read_text() == "secret"
    assert not list(tmp_path.glob("finished/*"))


def test_edgefns_own_entries_are_the_last_word(portable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the list of what an artifact may ask for will be: the entries that edgefn sets are its own."""
    from edgefn.backends.onnxruntime import backend as module
    from edgefn.backends.onnxruntime import session, settings

    asked = {
        WRITES: "../../token",
        "session.optimized_model_external_initializers_min_size_in_bytes": "1000000",
        "session.intra_op.allow_spinning": "1",
        "session.use_env_allocators": "0",
    }
    made: list[Any] = []

    def options(entries: dict[str, str], threads: int = 1) -> Any:
        made.append(session.session_options(entries, threads))
        return made[-1]

    monkeypatch.setattr(settings, "read", lambda folder: settings.Settings(session=asked))
    monkeypatch.setattr(module, "session_options", options)
    (tmp_path / "token").write_text("secret")
    backend: Any = backends.get("onnxruntime")
    backend.finish(portable, tmp_path / "finished")
    backend.load(tmp_path / "finished")
    finish, load = made
    assert finish.get_session_config_entry(WRITES) == "finished.onnx.data"
    assert load.get_session_config_entry("session.use_env_allocators") == "1"
    assert {one.get_session_config_entry("session.intra_op.allow_spinning") for one in made} == {"0"}
    assert (tmp_path / "finished" / "finished.onnx.data").stat().st_size >= ROWS * COLUMNS * 4
    assert (tmp_path / "token").read_text() == "secret"


def test_settings_of_edgefns_own_are_taken(portable: Path, tmp_path: Path) -> None:
    """What an int8 artifact brings goes with it."""
    (portable / "settings.json").write_text('{"precision":"int8","session":{"session.x64quantprecision":"1"}}')
    backend: Any = backends.get("onnxruntime")
    backend.finish(portable, tmp_path / "finished")
    assert (tmp_path / "finished" / "settings.json").exists()
    assert backend.load(tmp_path / "finished") is not None


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"more": 1}', b" " * 2**21, b"\xff"], ids=range(5))
def test_settings_that_are_none_are_refused(portable: Path, tmp_path: Path, content: bytes) -> None:
    """Damaged, unknown, endless."""
    (portable / "settings.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"settings\.json"):
        backends.get("onnxruntime").finish(portable, tmp_path / "finished")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "link.bin"])
def test_weights_outside_of_the_bundle_are_not_read(tmp_path: Path, location: str) -> None:
    """An external weight lies beside its model, or the artifact is refused: by ONNX Runtime and by OpenVINO."""
    (tmp_path / "secret.bin").write_bytes(bytes(range(16)))
    folder = tmp_path / "portable"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    onnx.save(_with_external_weight(location), folder / "model.onnx")
    for name in ("onnxruntime", "openvino"):
        if not backends.get(name).probe().available:
            continue
        (folder / "shapes.json").write_text('{"x": [1]}')
        with pytest.raises(BundleError):
            backends.get(name).finish(folder, tmp_path / f"finished-{name}")
        beside = tmp_path / f"beside-{name}"
        beside.mkdir()
        for file in ("model.onnx", "shapes.json"):
            (beside / file).write_bytes((folder / file).read_bytes())
        (beside / "own.bin").write_bytes(bytes(range(16)))
        onnx.save(_with_external_weight("own.bin"), beside / "model.onnx")
        backends.get(name).finish(beside, tmp_path / f"finished-{name}")


def _with_external_weight(location: str) -> Any:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "add",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
