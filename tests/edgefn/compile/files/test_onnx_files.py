"""ONNX files as people have them: their names, defaults, versions and weights, and how each is served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefn import backends
from edgefn.accuracy.judge import judge
from edgefn.accuracy.rules import Judging
from edgefn.compile import lower
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.files import doors

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

Tensors = dict[str, tuple[str, Any]]


def served(model: onnx.ModelProto, folder: Path, spec: ModelSpec, inputs: dict[str, Any], **save: Any) -> Any:
    """What was captured, the file's answers and the artifact's."""
    onnx.save(model, folder / "net.onnx", **save)
    session = doors.session_of(folder / "net.onnx", spec)
    caught, artifact = doors.portable(session, folder, {"batch": 2})
    wanted, found = session.run(inputs), artifact.run(inputs)
    assert list(wanted) == list(found) == list(caught.model.outputs)
    for name in wanted:
        doors.close(found[name], wanted[name])
    return caught, wanted


def test_names_that_python_cannot_write_are_ours(tmp_path: Path) -> None:
    """Inputs and outputs called "input.1" and "12" are taken in order, and the artifact has the declared names."""
    model = doors.as_onnx(x="input.1", y="12")
    caught, _ = served(model, tmp_path, doors.SPEC, doors.rows(3))
    assert list(caught.model.outputs) == ["output"]


def test_declared_names_win_over_names_inside(tmp_path: Path) -> None:
    """A name that the file uses for something inside is free for an input or an output."""
    model = doors.as_onnx(x="input.1", y="12")
    spec = ModelSpec(
        "net", {"b": TensorSpec("float32", ("batch", 4))}, {"first.bias": TensorSpec("float32", ("batch", 3))}
    )
    served(model, tmp_path, spec, {"b": doors.rows(3)["x"]})


def _difference(left: str, right: str) -> onnx.ModelProto:
    tensors: Tensors = dict.fromkeys((left, right), ("float32", ("rows", 4)))
    node = helper.make_node("Sub", [left, right], ["y"])
    return doors.model_of([node], tensors, {"y": ("float32", ("rows", 4))})


def test_inputs_are_matched_by_name_whatever_their_order(tmp_path: Path) -> None:
    """Where the file has the declared names in another order, each gets its own array."""
    spec = ModelSpec("net", {name: TensorSpec("float32", ("batch", 4)) for name in ("a", "b")})
    inputs = {"a": doors.rows(2)["x"], "b": doors.rows(3)["x"][:2]}
    _, outputs = served(_difference("b", "a"), tmp_path, spec, inputs)
    np.testing.assert_array_equal(outputs["y"], inputs["b"] - inputs["a"])


def test_a_name_that_is_half_right_is_not_guessed(tmp_path: Path) -> None:
    """One name that is declared and one that is not are told, with both lists."""
    onnx.save(_difference("a", "c"), tmp_path / "net.onnx")
    spec = ModelSpec("net", {name: TensorSpec("float32", ("batch", 4)) for name in ("a", "b")})
    with pytest.raises(BuildError, match=r"declared as a, b, but the file has a, c"):
        _ = doors.session_of(tmp_path / "net.onnx", spec).network


def test_weights_that_are_inputs_are_none(tmp_path: Path) -> None:
    """In old files each weight is an input with a default: a call need not give it."""
    model = doors.as_onnx()
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    caught, _ = served(model, tmp_path, doors.SPEC, doors.rows(3))
    assert list(caught.model.inputs) == ["x"]


def test_a_declared_size_narrows_a_free_one(tmp_path: Path) -> None:
    """A dimension that is free in the file and a number in the declaration is that number."""
    spec = ModelSpec("net", {"x": TensorSpec("float32", (5, 4))})
    caught, _ = served(doors.as_onnx(), tmp_path, spec, doors.rows(5))
    assert caught.model.outputs["y"].shape == (5, 3)


def test_a_wrong_word_on_what_comes_out_is_not_believed(tmp_path: Path) -> None:
    """Sizes that the exporter saw once are dropped: what comes out is what a run shows."""
    model = doors.as_onnx()
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, (1, 8)))
    caught, _ = served(model, tmp_path, doors.SPEC, doors.rows(3))
    assert caught.model.outputs["y"].shape == ("batch", 3)


def test_a_size_that_depends_on_values_has_a_name_of_its_own(tmp_path: Path) -> None:
    """The count of what is found is no input's dimension, nor the number that one run had."""
    nodes = [helper.make_node("NonZero", ["x"], ["where"]), helper.make_node("Identity", ["x"], ["same"])]
    outputs: Tensors = {"where": ("int64", (2, "found")), "same": ("float32", ("rows", 4))}
    model = doors.model_of(nodes, {"x": ("float32", ("rows", 4))}, outputs)
    caught, _ = served(model, tmp_path, doors.SPEC, doors.rows(3))
    assert caught.model.outputs["where"].shape == (2, "where_1")
    assert caught.model.outputs["same"].shape == ("batch", 4)


def test_an_input_that_comes_out_as_it_is_can_be_served(tmp_path: Path) -> None:
    """A file may name its input as an output, or one value twice, which ONNX does not allow an artifact."""
    nodes = [helper.make_node("Neg", ["x"], ["y"])]
    both: Tensors = {"y": ("float32", ("rows", 4)), "x": ("float32", ("rows", 4))}
    model = doors.model_of(nodes, {"x": ("float32", ("rows", 4))}, both)
    spec = ModelSpec("net", {"pixels": TensorSpec("float32", ("batch", 4))})
    served(model, tmp_path, spec, {"pixels": doors.rows(3)["x"]})


def test_functions_of_the_file_are_written_out(tmp_path: Path) -> None:
    """An operator of one's own that the file defines is no operator that a box must have."""
    twice = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Twice", ["x"], ["y"], domain="mine")
    model = doors.model_of([node], {"x": ("float32", ("rows", 4))}, {"y": ("float32", ("rows", 4))}, domains=("mine",))
    model.functions.append(twice)
    caught, _ = served(model, tmp_path, doors.SPEC, doors.rows(3))
    assert {node.domain for node in onnx.load(caught.onnx()).graph.node} == {""}


def test_weights_beside_the_file_are_served(tmp_path: Path) -> None:
    """External data are read, and what is served needs no file of the function's folder."""
    _, wanted = served(
        doors.as_onnx(), tmp_path, doors.SPEC, doors.rows(3), save_as_external_data=True, location="w", size_threshold=0
    )
    assert (tmp_path / "w").stat().st_size
    (tmp_path / "w").unlink()
    artifact = backends.get("onnxruntime").load(tmp_path / "portable")
    doors.close(artifact.run(doors.rows(3))["y"], wanted["y"])


@pytest.mark.parametrize(("opset", "written"), [(17, 17), (21, 21), (6, 20), (24, 20)])
def test_the_opset_is_kept_where_every_target_reads_it(opset: int, written: int, tmp_path: Path) -> None:
    """An opset that some target does not read is converted, and the artifact's is told as it is in the file."""
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    model = doors.model_of(nodes, {"x": ("float32", ("rows", 4))}, {"y": ("float32", ("rows", 4))}, opset=opset)
    caught, _ = served(model, tmp_path, doors.SPEC, doors.rows(3))
    lowered = lower.get("onnxruntime").lower(caught, target("portable/fp32"), tmp_path / "again")
    file = onnx.load(tmp_path / "again" / "model.onnx")
    assert lowered.opset == written == file.opset_import[0].version
    assert file.ir_version <= 10


def _half() -> onnx.ModelProto:
    """Weights of 16 bits, inputs and outputs of 32, as converters write it."""
    weight = onnx.numpy_helper.from_array(np.random.default_rng(0).random((4, 3)).astype(np.float16), "w")
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["h", "w"], ["g"]),
        helper.make_node("Cast", ["g"], ["y"], to=TensorProto.FLOAT),
    ]
    return doors.model_of(nodes, {"x": ("float32", ("rows", 4))}, {"y": ("float32", ("rows", 3))}, [weight])


def _quantised() -> onnx.ModelProto:
    """A layer of eight bits between QuantizeLinear and DequantizeLinear."""
    random = np.random.default_rng(0)
    constants = [
        onnx.numpy_helper.from_array(random.integers(-127, 127, (4, 3), np.int8), "w"),
        *(
            onnx.numpy_helper.from_array(np.array(value, np.float32), name)
            for name, value in (("s", 0.05), ("t", 0.01))
        ),
        *(onnx.numpy_helper.from_array(np.array(128, np.uint8), name) for name in ("z",)),
        onnx.numpy_helper.from_array(np.array(0, np.int8), "n"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "t", "n"], ["v"]),
        helper.make_node("MatMul", ["d", "v"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["p"]),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    return doors.model_of(nodes, {"x": ("float32", ("rows", 4))}, {"y": ("float32", ("rows", 3))}, constants)


@pytest.mark.parametrize("make", [_half, _quantised])
def test_files_of_few_bits_are_served_as_they_are(make: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    """Half precision and eight bits are in the file: its own run is what the artifact is held against."""
    onnx.save(make(), tmp_path / "net.onnx")
    session = doors.session_of(tmp_path / "net.onnx")
    _, artifact = doors.portable(session, tmp_path, {"batch": 2})
    pairs = Pairs(tuple(GoldenSample(doors.rows(count), session.run(doors.rows(count))) for count in range(2, 12)))
    coarse = doors.captured(session, {"batch": 2}).coarse
    assert coarse == ("int8" if make is _quantised else "fp16")
    assert judge(artifact, pairs, Judging(coarse=coarse), "fp32").passed


def test_a_quantised_file_is_not_quantised_again(tmp_path: Path) -> None:
    """It counts as eight bits where it is served, and an int8 target says that it is already quantised."""
    onnx.save(_quantised(), tmp_path / "net.onnx")
    caught = doors.captured(doors.session_of(tmp_path / "net.onnx"), {"batch": 2})
    lowered = lower.get("onnxruntime").lower(caught, target("portable/fp32"), tmp_path / "float")
    assert lowered.quantized == {"MatMul": 1}
    with pytest.raises(BuildError, match=r"is already quantised"):
        lower.get("onnxruntime").lower(caught, target("x86-64-v3/int8"), tmp_path / "int8")


@pytest.mark.parametrize("name", ["torchscript", "aotinductor"])
def test_backends_of_pytorch_programs_say_that_there_is_none(name: str, tmp_path: Path) -> None:
    """A target that compiles programs is refused with what the builder would have to return."""
    onnx.save(doors.as_onnx(), tmp_path / "net.onnx")
    caught = doors.captured(doors.session_of(tmp_path / "net.onnx"), {"batch": 2})
    with pytest.raises(BuildError, match=r"its file is ONNX, but this target compiles programs of PyTorch"):
        _ = caught.program
