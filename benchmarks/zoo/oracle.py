"""`python -m benchmarks.zoo.oracle PROJECT NETWORK FORM TARGET...`: hold a project's artifacts against eager PyTorch.

Shares no code with the gate: it builds the network itself, draws inputs that the build never saw, at the samples' sizes
and at others, and asks by how much an answer is off, as a share of what another input changes. An artifact that ignores
its input scores 1. It never decides what serves.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.zoo import catalogue, inputs, ties
from benchmarks.zoo.network import Network
from benchmarks.zoo.project import Project
from benchmarks.zoo.record import finite
from edgefn.backends import registry
from edgefn.bundle import archive, references
from edgefn.bundle.oci.layout import Bundle
from edgefn.spec import SizeRange

Array = NDArray[Any]
Arrays = dict[str, Array]
HELD_OUT = 10_000
"""The first seed of what no build saw."""
BASE, OTHER = 8, 3
"""Inputs at the samples' sizes, and the fewest at each other set of sizes: see `_count`."""
MASKED = 1e7
"""Numbers above stand for infinity: they must be as large, and are no part of the error."""
UNLIKE = 3
"""Powers of two by which the spreads of channels differ that are judged apart."""
SCORE = 0.002
"""Of numbers between 0 and 1: a group of channels that eight bits put off by less, and by less than a tenth of what all
together move, is no wrong answer. They are half a step of eight bits apart."""
OTHER_SHAPE = "eager's is"
"""A box holds the shapes of outputs against those recorded, and answers 500 where they are others."""
DEAD = 1e-7
"""A spread below that share of the largest number is float32's own noise: such channels are held to it instead."""


def main() -> int:
    """Print what was found as JSON, a member for each artifact."""
    root, name, form, *targets = sys.argv[1:]
    network = catalogue.named(name)
    project = Project(Path(root), network, "free" if form == "free" else "fixed")
    eager = Eager(project)
    torch.set_num_threads(1)
    bundle = project.bundle
    ranges = bundle.config.models[0].spec.ranges
    found = {
        entry.target: judge(session, eager, project, ranges, coarse="/int8" in entry.target)
        for entry, session in sessions(bundle)
    }
    plain = _plain(eager, project) if any("/int8" in target for target in targets) else {}
    print(json.dumps(finite({"parameters": eager.parameters, "artifacts": found, **plain})))
    return 0


def _plain(eager: Eager, project: Project) -> dict[str, Any]:
    """Return what becomes of plain static quantisation: its error at the samples' sizes, and if the gate takes it."""
    from benchmarks.zoo.plain import Plain, passes

    with tempfile.TemporaryDirectory() as folder:
        unpack(project.bundle, Path(folder))
        (model,) = Path(folder, "artifacts").glob("*/portable-fp32/model.onnx")
        calibration = sorted(project.folder.glob("calibration/*.npz"))
        try:
            session = Plain(model, calibration, Path(folder))
            right = passes(session, project.bundle.config.models[0], Path(folder))
        except Exception as error:
            print(f"plain quantisation: {first_line(error)}", file=sys.stderr)
            return {"plain": None, "plain_right": False}
        found = at(session, eager, project.network, project.sizes, BASE, coarse=True)["error"]
        return {"plain": found, "plain_right": right}


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """Import what lies in `folder` within; another project's module of the same name is another one."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]


class Eager:
    """The network as its builder gives it, in float32, and in float64 for the noise of float32."""

    def __init__(self, project: Project) -> None:
        with _importing(project.folder):
            module = importlib.import_module(project.network.function)
            random.seed(0)
            np.random.seed(0)
            torch.manual_seed(0)
            self.network = module.network.builder().eval()
        self.names = list(project.network.inputs)
        self.parameters = sum(one.numel() for one in self.network.parameters())

    def __call__(self, arrays: Arrays) -> list[Array]:
        """The answers in the order that forward() gives them in; what is no tensor is left out."""
        return self._run(self.network, {name: torch.from_numpy(array.copy()) for name, array in arrays.items()})

    def precisely(self, arrays: Arrays) -> list[Array]:
        """The same in float64. Raises what the network raises that insists on float32."""
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        wide = {name: one.double() if one.is_floating_point() else one for name, one in tensors.items()}
        return self._run(copy.deepcopy(self.network).double(), wide)

    def _run(self, network: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> list[Array]:
        with torch.no_grad():
            return [one.numpy() for one in flat(self._call(network, tensors))]

    def _call(self, network: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> Any:
        if set(self.names) <= set(inspect.signature(network.forward).parameters):
            return network(**tensors)
        return network(*(tensors[name] for name in self.names))


def flat(result: Any) -> Iterator[torch.Tensor]:
    """The tensors of a result, in order."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, Mapping):
        for one in result.values():
            yield from flat(one)
    elif isinstance(result, list | tuple):
        for one in result:
            yield from flat(one)


def sessions(bundle: Bundle) -> Iterator[tuple[Any, Any]]:
    """Each artifact of the bundle with a session of it, finished for this machine as a box does."""
    with tempfile.TemporaryDirectory() as scratch:
        unpack(bundle, Path(scratch))
        for number, entry in enumerate(bundle.config.artifacts):
            backend, finished = registry.get(entry.backend), Path(scratch, f"finished-{number}")
            backend.finish(Path(scratch, entry.path), finished)
            yield entry, backend.load(finished)


def unpack(bundle: Bundle, folder: Path) -> None:
    """The bundle's files lie below `folder`."""
    for layer in bundle.layers:
        archive.unpack(bundle.blob_path(layer.digest), folder, limit_bytes=layer.size)
    references.resolve(folder)


def judge(
    session: Any, eager: Eager, project: Project, ranges: Mapping[str, SizeRange], *, coarse: bool = False
) -> dict[str, Any]:
    """Return the worst error at the samples' sizes and at others, where it was, and at which sizes there is no answer.

    `coarse` is for artifacts of eight bits: see SCORE.
    """
    network = project.network
    found: dict[str, Any] = {"other": None, "sizes": 0, "no_answer": [], "eager_refuses": []}
    found |= at(session, eager, network, project.sizes, BASE, coarse=coarse)
    if project.form == "free":
        for sizes in network.others():
            if outside := _outside(ranges, sizes):
                found["no_answer"].append(f"{told(sizes)}: a box refuses {outside}")
                continue
            try:
                result = at(session, eager, network, sizes, _count(sizes, project.sizes), coarse=coarse)
            except EagerRefuses as error:
                found["eager_refuses"].append(f"{told(sizes)}: {first_line(error)}")
                continue
            found["sizes"] += 1
            if "failure" in result or OTHER_SHAPE in result["why"]:
                found["no_answer"].append(f"{told(sizes)}: {result.get('failure') or result['why']}")
            elif found["other"] is None or not result["error"] <= found["other"]:
                found |= {"other": result["error"], "other_at": told(sizes), "other_why": result["why"]}
                found["other_noise"] = result["noise"]
    return found


def _count(sizes: Mapping[str, int], base: Mapping[str, int]) -> int:
    """Return how many inputs to draw at `sizes`: a smaller batch is asked as many rows as the samples' own sizes are.

    A row in a hundred may be near a tie that eight bits decide the other way; among three it would be a third.
    """
    rows, wanted = max(sizes.get("batch", 1), 1), BASE * base.get("batch", 1)
    return min(wanted, max(OTHER, -(-wanted // rows))) if "batch" in sizes else OTHER


def _outside(ranges: Mapping[str, SizeRange], sizes: Mapping[str, int]) -> str:
    """The first word whose size the bundle says it does not take: a box answers 400 and runs nothing."""
    return next((f"{word} = {sizes[word]}" for word, taken in ranges.items() if sizes[word] not in taken), "")


class EagerRefuses(Exception):
    """Eager PyTorch has no answer at these sizes either."""


def at(
    session: Any, eager: Eager, network: Network, sizes: Mapping[str, int], count: int, *, coarse: bool
) -> dict[str, Any]:
    """The worst error at these sizes, the noise of float32 beside it, and the share of equal answers."""
    drawn = [inputs.draw(network, sizes, HELD_OUT + number) for number in range(count)]
    try:
        wanted = [eager(arrays) for arrays in drawn]
    except Exception as error:
        raise EagerRefuses(first_line(error)) from error
    try:
        answers = [list(session.run(arrays).values()) for arrays in drawn]
    except Exception as error:
        return {"failure": first_line(error), "error": None, "noise": None, "equal": None, "why": ""}
    off, why = worst(answers, wanted, coarse=coarse)
    return {
        "error": off,
        "why": why,
        "noise": noise(eager, drawn, wanted) if off > 1e-4 else None,
        "equal": equal(answers, wanted),
    }


def worst(
    answers: Sequence[Sequence[Array]], wanted: Sequence[Sequence[Array]], *, coarse: bool = False
) -> tuple[float, str]:
    """(the worst output's error, where): infinity for other shapes, NaN, or an answer too few."""
    found = (0.0, "")
    answers = ties.settled(answers, wanted)
    for number in range(len(wanted[0])):
        for a, r in zip(answers, wanted, strict=True):
            if number >= len(a) or a[number].shape != r[number].shape:
                shape = a[number].shape if number < len(a) else None
                return np.inf, f"output {number} is {shape}, {OTHER_SHAPE} {r[number].shape}"
        ours, eagers = ([one[number] for one in of] for of in (answers, wanted))
        error, why = _compare(ours, eagers, coarse=coarse)
        if not error <= found[0]:
            found = (float(error), f"output {number}{why}")
    return found


def _compare(ours: Sequence[Array], eagers: Sequence[Array], *, coarse: bool) -> tuple[float, str]:
    """One output's error; where its size follows the content, over how far all its numbers are spread."""
    whole = eagers[0].dtype.kind != "f"
    if len({one.shape for one in eagers}) == 1:
        a, r = (np.stack(one).astype(np.float64) for one in (ours, eagers))
        return distance(a, r, whole=whole, coarse=coarse)
    a, r = (np.concatenate([one.ravel() for one in of]).astype(np.float64) for of in (ours, eagers))
    spread = max(float(r.std()), DEAD)
    return (float((a != r).mean()) if whole else float(np.sqrt(((a - r) ** 2).mean())) / spread), " of any size"


def distance(a: Array, r: Array, *, whole: bool, coarse: bool = False) -> tuple[float, str]:
    """RMS(a - r) over how far r moves between samples, in the worst group of channels of like spread."""
    if whole:
        return float((a != r).mean()), " (whole numbers)"
    large = np.abs(r) > MASKED
    if not (np.isfinite(a) | large).all() or (np.abs(a[large]) < MASKED / 10).any():
        return np.inf, ": not finite"
    a, r = np.where(large, 0, a), np.where(large, 0, r)
    squares = (a - r) ** 2
    spread = ((r - r.mean(0)) ** 2) * len(r) / (len(r) - 1)
    floor = (DEAD * np.abs(r).max(initial=0)) ** 2 + 1e-30
    found = (float(np.sqrt(squares.mean() / max(spread.mean(), floor))), "")
    unseen = min(SCORE, float(np.sqrt(spread.mean())) / 10) if coarse and 0 <= r.min() <= r.max() <= 1 else 0.0
    for axis in {2, r.ndim - 1} & set(range(2, r.ndim)):
        rest = tuple(one for one in range(r.ndim) if one != axis)
        error, width = squares.mean(rest), np.maximum(spread.mean(rest), floor)
        group = np.floor(np.log2(np.sqrt(width)) / UNLIKE)
        for one in np.unique(group):
            chosen = group == one
            value = float(np.sqrt(error[chosen].mean() / width[chosen].mean()))
            if value > found[0] and error[chosen].mean() > unseen**2:
                found = (value, f", {chosen.sum()} of {chosen.size} along axis {axis - 1}")
    return found


def noise(eager: Eager, drawn: Sequence[Arrays], wanted: Sequence[Sequence[Array]]) -> float | None:
    """Float32's own error in eager PyTorch, in the same measure; None where the network insists on float32."""
    try:
        return worst(wanted, [eager.precisely(arrays) for arrays in drawn])[0]
    except Exception:
        return None


def equal(answers: Sequence[Sequence[Array]], wanted: Sequence[Sequence[Array]]) -> float:
    """The share of samples with the same largest number along the last axis of the first output, in every row."""
    return float(np.mean([(_top(a[0]) == _top(r[0])).mean() for a, r in zip(answers, wanted, strict=True)]))


def _top(array: Array) -> Array:
    return array.argmax(-1) if array.ndim else array


def told(sizes: Mapping[str, int]) -> str:
    return " ".join(f"{word}={size}" for word, size in sizes.items())


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"[:300]


if __name__ == "__main__":
    sys.exit(main())
