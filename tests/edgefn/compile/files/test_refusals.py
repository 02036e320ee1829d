"""Files that cannot be served: each is told in a line or two, and none is unpickled or crashes the build."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.files import onnx_source
from edgefn.errors import BuildError, SpecError
from edgefn.spec import ModelSpec, TensorSpec
from tests.edgefn.compile.files import doors

pytestmark = [
    pytest.mark.needs_torch,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
]

LONGEST = 600
"""Characters of a message: a few lines of a terminal."""


def refusal(path: Path, spec: ModelSpec = doors.SPEC, sizes: dict[str, int] | None = None) -> str:
    """What opening, running or capturing the file is refused with."""
    with pytest.raises(BuildError) as caught:
        _open(path, spec, sizes or {"batch": 2})
    return short(caught.value)


def short(error: BuildError) -> str:
    """The message, which is one line and not a long one."""
    message = str(error)
    assert len(message) < LONGEST
    assert "\n" not in message
    return message


def _open(path: Path, spec: ModelSpec, sizes: dict[str, int]) -> None:
    session = doors.session_of(path, spec)
    session.run(doors.rows(2))
    doors.captured(session, sizes)


class Payload:
    """What a pickle of somebody else may hold: reading it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


def _state_dict(path: Path) -> None:
    torch.save(doors.network().state_dict(), path)


def _old_state_dict(path: Path) -> None:
    torch.save(doors.network().state_dict(), path, _use_new_zipfile_serialization=False)


def _module(path: Path) -> None:
    torch.save(doors.network(), path)


def _payload(path: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(path.with_name("mark"))))


def _zipped_payload(path: Path) -> None:
    torch.save(Payload(path.with_name("mark")), path)


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a state_dict": (_state_dict, "weights without their network"),
    "an old state_dict": (_old_state_dict, "weights without their network"),
    "a pickled network": (_module, "pickled object of tests.edgefn.compile.files.doors.Net"),
    "a pickle": (_payload, "pickled object of posix.mkdir"),
    "a pickle of torch.save": (_zipped_payload, "pickled object of posix.mkdir"),
    "safetensors": (lambda path: path.write_bytes((2).to_bytes(8, "little") + b"{}"), "safetensors"),
    "an archive": (_archive, "an archive of another kind"),
    "nothing": (lambda path: path.write_bytes(b""), "is empty"),
    "zeros": (lambda path: path.write_bytes(bytes(99)), "is zeros"),
    "text": (lambda path: path.write_text("hello, this is no network at all\n" * 9), "not an ONNX file"),
    "TensorFlow Lite": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(60)), "TensorFlow Lite"),
    "Keras": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(60)), "Keras"),
    "Git LFS": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "lfs pull"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_told_as_what_it_is(name: str, tmp_path: Path) -> None:
    """Whatever its suffix says, and nothing that it holds is run."""
    make, said = OTHERS[name]
    make(tmp_path / "net.onnx")
    assert said in refusal(tmp_path / "net.onnx")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", doors.FILES)
def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(kind: str, tmp_path: Path) -> None:
    """Each cut gives a message of a line, or, where nothing was lost, the right answers."""
    whole = doors.write(kind, tmp_path).read_bytes()
    (wanted,) = doors.session_of(tmp_path / doors.FILES[kind]).run(doors.rows(2)).values()
    cut = tmp_path / "cut.onnx"
    refused = 0
    cuts = [len(whole) * number // 40 for number in range(40)] + [len(whole) - number for number in (1, 2, 30)]
    for length in cuts:
        cut.write_bytes(whole[:length])
        try:
            (found,) = doors.session_of(cut).run(doors.rows(2)).values()
        except BuildError as error:
            refused += bool(short(error))
        else:
            np.testing.assert_array_equal(found, wanted)
    assert refused >= len(cuts) - 2


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("Path('none.onnx')", "does not exist"),
        ("Path('.')", "is a folder"),
        ("'net.onnx'", "return Path('net.onnx')"),
        ("None", "returned NoneType"),
    ],
)
def test_a_path_that_leads_nowhere_good_is_refused(returned: str, said: str, tmp_path: Path) -> None:
    """It says what to return. That a build reads no file that its cache keys do not hold is the boundary's to see."""
    folder = tmp_path / "function"
    folder.mkdir()
    with pytest.raises((BuildError, SpecError), match=said.replace("(", r"\(").replace(")", r"\)")):
        _ = EagerSession(doors.builder_of(folder, returned), doors.SPEC).network


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "a/../../b", "link.bin", "none.bin", ""])
def test_external_data_stays_in_its_folder(location: str, tmp_path: Path) -> None:
    """A file that keeps its weights elsewhere, or behind a link, or nowhere, is refused before a byte is read."""
    (tmp_path / "inside").mkdir()
    path = tmp_path / "inside" / "net.onnx"
    (path.parent / "link.bin").symlink_to("/etc/passwd")
    model = doors.as_onnx()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    onnx.save(model, path)
    with pytest.raises(BuildError, match=r"first.weight"):
        onnx_source.read(path, "net")


def test_external_data_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """A file of weights that is shorter than what is read of it is told with both sizes."""
    onnx.save(doors.as_onnx(), tmp_path / "net.onnx", save_as_external_data=True, location="w", size_threshold=0)
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes()[:40])
    assert "cut off: it has 40 of 128 bytes" in refusal(tmp_path / "net.onnx")


def _newest() -> onnx.ModelProto:
    model = doors.as_onnx()
    model.opset_import[0].version = 99
    return model


def _custom(domain: str) -> onnx.ModelProto:
    node = helper.make_node("Frobnicate", ["x"], ["y"], domain=domain)
    return doors.model_of([node], {"x": ("float32", ("rows", 4))}, {"y": ("float32", ("rows", 4))}, domains=(domain,))


def _sequence() -> onnx.ModelProto:
    model = doors.model_of(
        [helper.make_node("SplitToSequence", ["x"], ["y"])], {"x": ("float32", ("r", 4))}, {"y": ("float32", None)}
    )
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    model.graph.output[0].type.CopyFrom(kind)
    return model


ONNX: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "fixed rows": (
        lambda: doors.as_onnx(rows=1),
        "declare 1 for 'batch', or export it with dynamic_axes={'x': {0: 'batch'}}",
    ),
    "too new": (_newest, "opset 99"),
    "an operator of one's own": (lambda: _custom("acme"), "acme.Frobnicate"),
    "for one CPU": (lambda: _custom("com.microsoft.nchwc"), "optimised for one CPU"),
    "no such operator": (lambda: _custom("com.microsoft"), "Frobnicate"),
    "a sequence": (_sequence, "'y' of its ONNX file is a sequence"),
    "other names": (
        lambda: doors.model_of(
            [helper.make_node("Add", ["x", "z"], ["y"])],
            {"x": ("float32", ("r", 4)), "z": ("float32", ("r", 4))},
            {"y": ("float32", ("r", 4))},
        ),
        "declared as x, but the file has x, z",
    ),
    "another dtype": (
        lambda: doors.model_of(
            [helper.make_node("Neg", ["x"], ["y"])], {"x": ("float64", ("r", 4))}, {"y": ("float64", ("r", 4))}
        ),
        "declared as float32[batch, 4], but the file has float64[r, 4]",
    ),
    "another rank": (
        lambda: doors.model_of(
            [helper.make_node("Neg", ["x"], ["y"])], {"x": ("float32", ("r", 4, 1))}, {"y": ("float32", None)}
        ),
        "the file has float32[r, 4, 1]",
    ),
}


@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_file_that_cannot_be_served_says_why(name: str, tmp_path: Path) -> None:
    """The operator, the input, the version that is in the way, and how to export it instead."""
    make, said = ONNX[name]
    onnx.save(make(), tmp_path / "net.onnx")
    assert said in refusal(tmp_path / "net.onnx")


class Two(nn.Module):
    def forward(self, x: torch.Tensor, scale: float) -> torch.Tensor:
        return x * scale


class Wrong(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(7, 2)


@pytest.mark.parametrize(("module", "said"), [(Two(), "takes scale, a float"), (Wrong(), "mat1 and mat2")])
def test_a_script_that_cannot_be_served_says_why(module: nn.Module, said: str, tmp_path: Path) -> None:
    """What forward() takes besides tensors, and the last line of torch.jit's trace."""
    torch.jit.save(torch.jit.script(module), str(tmp_path / "net.pt"))
    assert said in refusal(tmp_path / "net.pt")


def test_a_program_with_fixed_sizes_says_how_to_free_them(tmp_path: Path) -> None:
    """A declared free dimension that the program was exported without is refused with the argument to give."""
    torch.export.save(torch.export.export(doors.network(), (torch.rand(2, 4),)), tmp_path / "net.pt2")
    assert "dynamic_shapes={'x': {0: torch.export.Dim('batch')}}" in refusal(tmp_path / "net.pt2")


def test_a_program_is_held_to_the_range_it_was_exported_for(tmp_path: Path) -> None:
    """A declared number outside the program's range is refused with the range."""
    torch.export.save(doors.exported(doors.network(), torch.rand(2, 4), max=8), tmp_path / "net.pt2")
    spec = ModelSpec("net", {"x": TensorSpec("float32", (9, 4))})
    assert "to 8 there" in refusal(tmp_path / "net.pt2", spec)


def test_a_program_is_not_unpickled(tmp_path: Path) -> None:
    """Objects among the constants of a program, which torch would unpickle, and pickled weights are refused."""
    path = tmp_path / "net.pt2"
    torch.export.save(doors.exported(doors.network(), torch.rand(2, 4)), path)
    poison = pickle.dumps(Payload(tmp_path / "mark"))
    saved = io.BytesIO()
    torch.save(Payload(tmp_path / "mark"), saved)
    for entry in ({"path_name": "opaque_obj_0"}, {"path_name": "weight_0"}):
        poisoned = tmp_path / f"{entry['path_name']}.pt2"
        _poison(path, poisoned, str(entry["path_name"]), poison if "opaque" in str(entry) else saved.getvalue())
        refusal(poisoned)
        assert not (tmp_path / "mark").exists()


def _poison(source: Path, path: Path, name: str, data: bytes) -> None:
    """A copy of the program whose first weight is said to be the pickle `data`, in the member `name`."""
    import json

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member.endswith("weights_config.json"):
                config = json.loads(content)
                first = next(iter(config["config"].values()))
                first |= {"path_name": name, "use_pickle": True}
                content = json.dumps(config).encode()
            if member.endswith(f"/{name}"):
                content = data
            new.writestr(member, content)
        if not any(member.endswith(f"/{name}") for member in old.namelist()):
            folder = old.namelist()[0].partition("/")[0]
            new.writestr(f"{folder}/data/weights/{name}", data)
