"""A compiler's own gates: an artifact is of the precision and the opset that its target's name promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefn.accuracy.bound import Bound
from edgefn.accuracy.verdict import refused
from edgefn.compile.jobs.job import Job, JobProgress, read_job, read_told, tell, write_job
from edgefn.compile.jobs.lowering import check_lowered
from edgefn.compile.lower.lowering import Lowered
from edgefn.errors import GateError
from edgefn.quantization import Quantize
from edgefn.targets.profiles import Target


def _job(precision: str, opset: tuple[int, ...] = ()) -> Job:
    return Job(
        model="net",
        target=Target("lab", precision, "lab"),
        cache="",
        golden="",
        judges=(0,),
        bound=Bound(),
        quantize=Quantize(),
        opset=opset,
        files="",
    )


def test_a_float_file_that_is_called_int8_does_not_pass() -> None:
    """A toolchain that left all in float says nothing; the count of its operators does."""
    with pytest.raises(GateError, match="lab/int8 of model net has no int8 operator"):
        check_lowered(Lowered({}, quantized={"Conv": 0}), _job("int8"))
    check_lowered(Lowered({}, quantized={"Conv": 49}), _job("int8"))
    check_lowered(Lowered({}), _job("fp32"))


@pytest.mark.parametrize("opset", [6, 20])
def test_an_opset_that_the_target_does_not_read_does_not_pass(opset: int) -> None:
    """As it was read back: exporters write another one than they were asked for."""
    with pytest.raises(GateError, match=rf"net has ONNX opset {opset}, but the target reads 7 to 19"):
        check_lowered(Lowered({}, opset), _job("fp32", (7, 19)))
    check_lowered(Lowered({}, opset), _job("fp32"))
    check_lowered(Lowered({}, 0), _job("fp32", (7, 19)))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Infinity too, which JSON has not; a compiler that died first has told nothing."""
    assert read_told(tmp_path) == JobProgress()
    told = JobProgress(step="prove", agreement=refused("wrong", "missing", 1))
    tell(told, tmp_path)
    assert read_told(tmp_path) == told
    write_job(_job("int8", (7, 23)), tmp_path)
    assert read_job(tmp_path) == _job("int8", (7, 23))
