"""Count broken artifacts that the judge lets through, and sound ones that it refuses.

    python -m benchmarks.mutations [--int8] [NETWORK...]

Ten networks of the list are built. The ONNX file of each, the portable one or this machine's int8 one, is broken up to
24 times and changed harmlessly up to six times, and judged as an artifact by what the bundle says. A mutation counts
where it moves 5 % of held-out answers or more by over twice the limit, by this module's own arithmetic.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from benchmarks import machine
from benchmarks.zoo import catalogue, inputs
from benchmarks.zoo.oracle import unpack
from benchmarks.zoo.project import Project
from edgefn import golden
from edgefn.accuracy.judge import judge
from edgefn.accuracy.limits import BY_PRECISION
from edgefn.backends.onnxruntime import settings
from edgefn.backends.onnxruntime.session import PROVIDER, OnnxSession, import_onnxruntime, session_options
from edgefn.bundle.config import ModelEntry
from edgefn.golden import Pairs

NETWORKS = [
    *("mlp", "m5", "tcn", "espcn", "resnet_for_tables", "gru_classifier"),
    *("ft_transformer", "u_net_of_any_size", "ds_cnn", "pointnet"),
]
EACH, HARMLESS = 24, 6
HELD_OUT, FIRST = 40, 20_000
MOVED = 0.05
"""Return the share of held-out answers that a mutation moves by over twice the limit."""
BUILD_S = 600.0
NOISE = 0.45
"""Noise of a sound file, by its limit: under half of it."""

FLOAT, INT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT8
Change = Callable[[onnx.ModelProto, np.random.Generator], str]


class Subject(NamedTuple):
    """A built network: its file, what judges it, its golden pairs and held-out inputs."""

    name: str
    precision: str
    session: Mapping[str, str]
    model: onnx.ModelProto
    entry: ModelEntry
    pairs: Pairs
    held_out: list[Mapping[str, NDArray[Any]]]


def main() -> int:
    """Print a line for each network and the shares of all; 1 where a share misses its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--int8", action="store_true", help="this machine's int8 file instead of the portable one")
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    asked = parser.parse_args()
    target = machine.int8() if asked.int8 else "portable/fp32"
    broken = refused = sound = kept = 0
    for name in asked.networks:
        with tempfile.TemporaryDirectory(prefix="edgefn-mutations-") as scratch:
            subject = built(name, target, Path(scratch))
        if subject is None:
            continue
        counts = [sum(column) for column in zip(*judged(subject, BREAKING, EACH), strict=True)]
        sound_ones = judged(subject, (noise(subject), *CHANGING), HARMLESS, harmless=True)
        harmless = [sum(column) for column in zip(*sound_ones, strict=True)]
        print(
            f"{name}: {counts[1]} of {counts[0]} broken refused, {harmless[1]} of {harmless[0]} sound kept", flush=True
        )
        broken, refused = broken + counts[0], refused + counts[1]
        sound, kept = sound + harmless[0], kept + harmless[1]
    if not broken:
        raise SystemExit("no network has such a file")
    print(f"broken and refused: {refused} of {broken} ({refused / broken:.1%}); sound and kept: {kept} of {sound}")
    return int(refused < 0.99 * broken or kept < 0.98 * sound)


def built(name: str, target: str, folder: Path) -> Subject | None:
    """Build a network of the list with free sizes, and read what its bundle has of `target`; None where it has none."""
    network = catalogue.named(name)
    project = Project(folder / "project", network, "free")
    project.write()
    outcome = project.build(sorted({"portable/fp32", target}), BUILD_S)
    if outcome.event.get("event") != "built":
        raise SystemExit(f"{name} does not build: {outcome.event or outcome.stderr[-2000:]}")
    unpack(project.bundle, folder / "unpacked")
    (entry,) = project.bundle.config.models
    found = [one for one in project.bundle.config.artifacts if one.target == target]
    if not found:
        (row,) = (one for one in outcome.event["report"]["artifacts"] if one["target"] == target)
        print(f"{name} is left out: {row['reason'][:200]}", flush=True)
        return None
    (artifact,) = found
    files = folder / "unpacked" / artifact.path
    model, asked = onnx.load(files / "model.onnx"), settings.read(files)
    pairs = golden.load_pairs(folder / "unpacked" / "golden" / f"{entry.spec.name}.npz")
    held_out: list[Mapping[str, NDArray[Any]]] = [
        inputs.draw(network, project.sizes, FIRST + number) for number in range(HELD_OUT)
    ]
    return Subject(name, target.partition("/")[2], asked.session, model, entry, pairs, held_out)


def judged(
    subject: Subject, changes: tuple[Change, ...], count: int, *, harmless: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield (1, 1 where the judge is right) for each changed file that counts, (0, 0) for one that does not."""
    twice = 2 * BY_PRECISION[subject.precision].error
    before = answers(subject, subject.model)
    for number in range(count):
        model, random = copy.deepcopy(subject.model), np.random.default_rng(number)
        told = changes[number % len(changes)](model, random)
        try:
            after = answers(subject, model)
        except Exception:  # a file that does not run is refused by any gate
            yield 0, 0
            continue
        moved = share_moved(before, after, twice)
        if not told or (moved > 0 if harmless else moved < MOVED):
            yield 0, 0
            continue
        verdict = judge(opened(model, subject.session), subject.pairs, subject.entry.judging, subject.precision)
        right = verdict.passed if harmless else not verdict.passed
        if not right:
            print(f"  {subject.name}: {told}: {verdict.verdict}, {moved:.0%} moved; {verdict.reason}", flush=True)
        yield 1, int(right)


def answers(subject: Subject, model: onnx.ModelProto) -> list[dict[str, NDArray[Any]]]:
    """Return what `model` answers on the held-out inputs."""
    session = opened(model, subject.session)
    return [session.run(one) for one in subject.held_out]


def share_moved(before: list[Any], after: list[Any], twice: float) -> float:
    """Return the share of held-out answers that are off by over `twice`, by how far answers move."""
    off = np.zeros(len(before))
    for name in before[0]:
        wanted = np.stack([one[name] for one in before]).astype(np.float64)
        found = np.stack([one[name] for one in after]).astype(np.float64)
        axes = tuple(range(1, wanted.ndim))
        spread = np.sqrt(wanted.var(axis=0, ddof=1).mean()) or 1.0
        off = np.maximum(off, np.nan_to_num(np.sqrt(np.square(found - wanted).mean(axis=axes)) / spread, nan=np.inf))
    return float((off > twice).mean())


def opened(model: onnx.ModelProto, session: Mapping[str, str]) -> OnnxSession:
    """A session of a file, optimised as for serving."""
    ort = import_onnxruntime()
    options = session_options(dict(session))
    return OnnxSession(ort.InferenceSession(model.SerializeToString(), options, providers=[PROVIDER]))


# ── what breaks a file ───────────────────────────────────────────────────────────────────────────────────────


def weight(model: onnx.ModelProto, random: np.random.Generator, rank: int = 2) -> tuple[onnx.TensorProto, NDArray[Any]]:
    """Return one of the model's weights, float or of eight bits, or a scale of those, and a copy in float."""
    found = [one for one in model.graph.initializer if one.data_type in (FLOAT, INT8) and len(one.dims) >= rank]
    chosen = found[int(random.integers(len(found)))]
    return chosen, numpy_helper.to_array(chosen).astype(np.float32)


def put(tensor: onnx.TensorProto, values: NDArray[Any]) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    if dtype.kind in "iu":
        values = np.clip(np.round(values), np.iinfo(dtype).min, np.iinfo(dtype).max)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values.astype(dtype)), tensor.name))


def scaled(model: onnx.ModelProto, random: np.random.Generator) -> str:
    tensor, values = weight(model, random, 1)
    put(tensor, values * np.float32(random.choice([0.5, 0.9, 1.02, -1.0])))
    return f"{tensor.name} scaled"


def dead_channel(model: onnx.ModelProto, random: np.random.Generator) -> str:
    tensor, values = weight(model, random)
    values[int(random.integers(len(values)))] = 0
    put(tensor, values)
    return f"a channel of {tensor.name} is zero"


def swapped(model: onnx.ModelProto, random: np.random.Generator) -> str:
    tensor, values = weight(model, random)
    if len(values) < 2:
        return ""
    one, other = random.choice(len(values), 2, replace=False)
    values[[one, other]] = values[[other, one]]
    put(tensor, values)
    return f"two channels of {tensor.name} swapped"


def few_bits(model: onnx.ModelProto, random: np.random.Generator) -> str:
    tensor, values = weight(model, random)
    step = np.abs(values).max() / 7 or 1
    put(tensor, np.round(values / step).astype(np.float32) * np.float32(step))
    return f"{tensor.name} in four bits"


def older(model: onnx.ModelProto, random: np.random.Generator) -> str:
    for tensor in model.graph.initializer:
        if tensor.data_type in (FLOAT, INT8) and len(tensor.dims) >= 2:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            put(tensor, values + random.normal(0, 0.05 * (values.std() or 1), values.shape).astype(np.float32))
    return "other weights"


def lost_bias(model: onnx.ModelProto, random: np.random.Generator) -> str:
    tensor, values = weight(model, random, 1)
    if values.ndim > 1 or not values.any():
        return ""
    put(tensor, np.zeros_like(values))
    return f"{tensor.name} is zero"


OTHERS = {
    **{"Relu": "Abs", "Sigmoid": "HardSigmoid", "Tanh": "Softsign", "MaxPool": "AveragePool", "Erf": "Tanh"},
    **{
        "Sub": "Add",
        "Add": "Sub",
        "GlobalAveragePool": "GlobalMaxPool",
        "ReduceMean": "ReduceMax",
        "Softmax": "Hardmax",
    },
}


def other_operator(model: onnx.ModelProto, random: np.random.Generator) -> str:
    nodes = [node for node in model.graph.node if node.op_type in OTHERS]
    if not nodes:
        return ""
    node = nodes[int(random.integers(len(nodes)))]
    before, node.op_type = node.op_type, OTHERS[node.op_type]
    kept = [one for one in node.attribute if before != "MaxPool" or one.name not in ("dilations", "storage_order")]
    del node.attribute[:]
    node.attribute.extend(kept)
    return f"{before} became {node.op_type}"


def moved_zero(model: onnx.ModelProto, random: np.random.Generator) -> str:
    found = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.UINT8 and not one.dims]
    if not found:
        return ""
    tensor = found[int(random.integers(len(found)))]
    put(tensor, numpy_helper.to_array(tensor).astype(np.float32) + random.choice([-40, 40]))
    return f"the zero {tensor.name} moved"


def narrower(model: onnx.ModelProto, random: np.random.Generator) -> str:
    scales = {node.input[1] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    found = [one for one in model.graph.initializer if one.name in scales and not one.dims]
    if not found:
        return ""
    tensor = found[int(random.integers(len(found)))]
    put(tensor, numpy_helper.to_array(tensor) * np.float32(0.3))
    return f"the range of {tensor.name} is too narrow"


def clipped(model: onnx.ModelProto, random: np.random.Generator) -> str:
    name = model.graph.output[0].name
    for node in model.graph.node:
        for place, output in enumerate(node.output):
            if output == name:
                node.output[place] = f"{name}.free"
    model.graph.initializer.append(numpy_helper.from_array(np.array(random.choice([0.0, 0.1]), np.float32), "least"))
    model.graph.node.append(helper.make_node("Max", [f"{name}.free", "least"], [name]))
    return "the output is clipped"


BREAKING: tuple[Change, ...] = (
    *(scaled, dead_channel, swapped, few_bits, other_operator, older, lost_bias, clipped),
    *(other_operator, swapped, moved_zero, narrower),
)


# ── what does not ────────────────────────────────────────────────────────────────────────────────────────────


def noise(subject: Subject) -> Change:
    """Return a change that adds noise to each output: 0.45 of what the limit leaves beside the file's own error."""
    before = answers(subject, subject.model)
    left = BY_PRECISION[subject.precision].error - own_error(subject)

    def noisy(model: onnx.ModelProto, random: np.random.Generator) -> str:
        changed = [value for value in model.graph.output if value.type.tensor_type.elem_type == FLOAT]
        for value in changed:
            spread = moves(np.stack([one[value.name] for one in before]), value)
            add_noise(model, value.name, np.float32(NOISE * 2**0.5 * left) * spread, random.uniform(8e3, 1e4))
        return "noise in the output" if changed and left > 0 else ""

    return noisy


def own_error(subject: Subject) -> float:
    """Return the largest error of the file's outputs on its golden samples, by how far eager's answers move."""
    session = opened(subject.model, subject.session)
    worst = 0.0
    found = [session.run(pair.inputs) for pair in subject.pairs.samples]
    for name in found[0]:
        eager = [pair.outputs[name].astype(np.float64) for pair in subject.pairs.samples]
        off = [
            float(np.square(one[name].astype(np.float64) - wanted).mean())
            for one, wanted in zip(found, eager, strict=True)
        ]
        spread = np.sqrt(np.stack(eager).var(axis=0, ddof=1).mean()) or 1.0
        worst = max(worst, float(np.sqrt(np.mean(off)) / spread))
    return worst


def moves(found: NDArray[Any], value: onnx.ValueInfoProto) -> NDArray[np.float32]:
    """Return how far an output moves, by index of its second axis where that has a fixed length."""
    square = found.astype(np.float64).var(axis=0, ddof=1)
    dims = value.type.tensor_type.shape.dim
    fixed = len(dims) > 1 and dims[1].HasField("dim_value")
    others = tuple(axis for axis in range(square.ndim) if axis != 1 or not fixed)
    return np.asarray(np.sqrt(square.mean(axis=others, keepdims=True)), np.float32)


def add_noise(model: onnx.ModelProto, name: str, size: NDArray[np.float32], often: float) -> None:
    """Add size · sin(often · y) to the output y called `name`."""
    for node in model.graph.node:
        for place, output in enumerate(node.output):
            if output == name:
                node.output[place] = f"{name}.quiet"
    constants = {f"{name}.size": size, f"{name}.often": np.array(often, np.float32)}
    model.graph.initializer.extend(numpy_helper.from_array(one, key) for key, one in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("Mul", [f"{name}.quiet", f"{name}.often"], [f"{name}.phase"]),
            helper.make_node("Sin", [f"{name}.phase"], [f"{name}.wave"]),
            helper.make_node("Mul", [f"{name}.wave", f"{name}.size"], [f"{name}.noise"]),
            helper.make_node("Add", [f"{name}.quiet", f"{name}.noise"], [name]),
        ]
    )


def turned(model: onnx.ModelProto, random: np.random.Generator) -> str:
    for node in model.graph.node:
        if node.op_type in ("Add", "Mul"):
            node.input[0], node.input[1] = node.input[1], node.input[0]
    return "sums turned round"


def relaid(model: onnx.ModelProto, random: np.random.Generator) -> str:
    value = model.graph.output[0]
    rank, name = len(value.type.tensor_type.shape.dim), value.name
    for node in model.graph.node:
        for place, output in enumerate(node.output):
            if output == name:
                node.output[place] = f"{name}.before"
    order = list(range(rank))[::-1]
    model.graph.node.append(helper.make_node("Transpose", [f"{name}.before"], [f"{name}.turned"], perm=order))
    model.graph.node.append(helper.make_node("Transpose", [f"{name}.turned"], [name], perm=order))
    return "another layout on the way"


CHANGING: tuple[Change, ...] = (turned, relaid)


if __name__ == "__main__":
    sys.exit(main())
