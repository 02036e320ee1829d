"""What a model's artifacts are judged by: found once at build, from eager's answers alone, and kept in the bundle.

The build and the box judge by the same `Judging`, so a figure printed at build and one printed at install mean the
same. PURE: arrays in, data out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgefn.accuracy.measures import classes, invariants, ordering, slices, special, spread
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import ClassScores, Judging, Network, OutputRule, Slice, indices_of
from edgefn.errors import BuildError
from edgefn.spec import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.golden import GoldenSample

MAX_CHANNELS = 512
"""More channels than this are judged by slices alone."""

FEW = 8
"""Under so many different answers the spread is weak, which the report says."""

AS_NOISY = 5e-4
"""Of a channel's spread: the noise that it takes over from its siblings, at most."""

STILL = 1e-6
"""A spread below this fraction of the largest value is none: float32 computes no finer."""


Cut = Callable[[Any], Any]
Functions = Mapping[str, Mapping[str, Cut]]
"""The author's slices: functions by slice, by output."""


def found(
    model: str,
    outputs: Mapping[str, TensorSpec],
    pairs: Sequence[GoldenSample],
    accuracy: Accuracy,
    *,
    network: Network | None = None,
    functions: Functions | None = None,
    residuals: Sequence[Mapping[str, NDArray[Any]]] = (),
) -> Judging:
    """Return how artifacts of `model` are judged, from eager's answers in `pairs`.

    `residuals` are float64 − float32 of eager for some of the pairs, by output. Raise BuildError where the author's
    slices or class axes do not fit the outputs.
    """
    network, functions = network or Network(), functions or {}
    rules = {}
    for name, spec in outputs.items():
        arrays = [pair.outputs[name] for pair in pairs]
        noise = [residual[name] for residual in residuals if name in residual]
        rules[name] = _rule(model, name, spec, arrays, accuracy, network, functions.get(name, {}), noise)
    _check_names(model, accuracy, rules)
    orders = ordering.found([pair.outputs for pair in pairs]) if network.sorts else ()
    return Judging(rules, accuracy, len(pairs), network.coarse, orders)


def of_samples(pairs: Sequence[GoldenSample], accuracy: Accuracy | None = None) -> Judging:
    """Return the judging of artifacts of a bundle without one: from its golden samples alone."""
    shapes = {
        name: TensorSpec(array.dtype.name, _shape([pair.outputs[name] for pair in pairs]))
        for name, array in (pairs[0].outputs.items() if pairs else ())
    }
    return found("", shapes, pairs, accuracy or Accuracy())


def _shape(arrays: Sequence[NDArray[Any]]) -> tuple[int | str, ...]:
    first = arrays[0].shape
    return tuple(
        length if all(array.shape[axis : axis + 1] == (length,) for array in arrays) else f"free_{axis}"
        for axis, length in enumerate(first)
    )


def _rule(
    model: str,
    name: str,
    spec: TensorSpec,
    arrays: Sequence[NDArray[Any]],
    accuracy: Accuracy,
    network: Network,
    functions: Mapping[str, Callable[[Any], Any]],
    residuals: Sequence[NDArray[Any]],
) -> OutputRule:
    fixed = name in network.fixed
    arrays = [array for array in arrays if array.size]
    if not arrays or not np.issubdtype(arrays[0].dtype, np.floating):
        if arrays and functions:
            raise BuildError(
                f"model {model}: outputs= cuts {', '.join(functions)} of output {name!r}, which is {spec}: only floats "
                "have slices, everything else is held element by element; leave them out"
            )
        return OutputRule(fixed=fixed)
    masks = special.find(arrays)
    free = spread.free_axes(spec.shape)
    seen = spread.field(arrays, spec.shape, masks)
    statics = [axis for axis in range(len(spec.shape)) if axis not in free]
    largest = max(float(np.nanmax(np.abs(special.plain(array, masks)), initial=0.0)) for array in arrays)
    square = np.where(np.sqrt(seen.square) > STILL * largest, seen.square, 0.0)
    axis = slices.channel_axis(square, [one for one in statics if one in (1, len(spec.shape) - 1)])
    cuts = slices.declared(model, name, functions, arrays[0].shape, free) if functions else _joined(name, network, spec)
    cuts = [piece for cut in cuts for piece in _split(name, cut, square, axis)]
    channels = _channels(axis, spec, statics)
    measured = tuple(_measured(cut, square, channels, residuals) for cut in cuts)
    if not functions and name not in network.joins:
        measured = _as_noisy(measured)
    values = [special.plain(array, masks) for array in arrays]
    unit = all(np.nanmin(value, initial=0.0) >= 0 and np.nanmax(value, initial=0.0) <= 1 for value in values)
    sums = classes.probable(arrays, [other for other in statics if len(spec.shape) > 1])
    return OutputRule(
        slices=measured,
        channel_axis=channels,
        low=masks.low,
        high=masks.high,
        scores=_scores(model, name, spec, accuracy, network, sums),
        unit=unit,
        positive=invariants.positive(arrays, masks),
        sums=sums,
        norms=invariants.norms(arrays, [other for other in statics if len(spec.shape) > 1]),
        fixed=fixed,
    )


def _joined(name: str, network: Network, spec: TensorSpec) -> list[Slice]:
    if name not in network.joins:
        return [Slice(name)]
    axis, bounds = network.joins[name]
    return slices.pieces(name, len(spec.shape), axis, bounds)


def _split(name: str, cut: Slice, square: NDArray[np.float64], axis: int | None) -> list[Slice]:
    """Return `cut`, in parts where its channels' spreads are unlike.

    Channels without spread stay with the largest.
    """
    if axis is None:
        return [cut]
    whole = np.arange(square.shape[axis])
    along = dict(cut.along)
    own = indices_of(along[axis]) if axis in along else whole
    spreads = np.zeros(len(whole))
    spreads[own] = spread.by_index(_narrowed(square, cut, axis), axis)[own]
    groups = slices.unlike(spreads)
    if len(groups) < 2:
        return [cut]
    silent = [index for index in own if spreads[index] == 0]
    biggest = max(range(len(groups)), key=lambda number: len(groups[number]))
    groups[biggest] = np.union1d(groups[biggest], np.array(silent, dtype=np.int64))
    made = []
    for group in groups:
        chosen = tuple(sorted((along | {axis: slices.ranges_of(group)}).items()))
        made.append(Slice(slices.named(cut.name.partition("[")[0], chosen, square.ndim), chosen))
    return made


def _narrowed(square: NDArray[np.float64], cut: Slice, axis: int) -> NDArray[np.float64]:
    """Return the field of a cut's indices along the axes other than `axis`."""
    return Slice("", tuple((other, ranges) for other, ranges in cut.along if other != axis)).of(square)


def _channels(axis: int | None, spec: TensorSpec, statics: Sequence[int]) -> int | None:
    """Return the axis whose indices are judged one by one: the one of unlike spreads, else the usual one."""
    rank = len(spec.shape)
    usual = 1 if rank >= 4 or rank == 2 else rank - 1
    chosen = axis if axis is not None else usual
    size = spec.shape[chosen] if 0 <= chosen < rank else 0
    return chosen if chosen in statics and isinstance(size, int) and 2 <= size <= MAX_CHANNELS else None


def _measured(
    cut: Slice, square: NDArray[np.float64], channels: int | None, residuals: Sequence[NDArray[Any]]
) -> Slice:
    own = cut.of(square)
    noise = [np.square(np.asarray(cut.of(one), np.float64)) for one in residuals]
    known = [float(np.nanmean(one)) for one in noise if np.isfinite(one).any()]
    live = own[own > 0]
    return msgspec.structs.replace(
        cut,
        spread=float(np.sqrt(own.mean())) if live.size else 0.0,
        noise=float(np.sqrt(max(known))) if known else 0.0,
        channels=tuple(map(float, spread.by_index(own, channels))) if channels is not None else (),
    )


def _as_noisy(cuts: Sequence[Slice]) -> tuple[Slice, ...]:
    """Return slices of one operator's channels, each as noisy as the others, up to a share of its spread.

    An activation may hide a channel in most samples. Behind it are the same sums as in its siblings, but it shows no
    noise of its own in the few samples that eager answers in float64.
    """
    most = max((cut.noise for cut in cuts), default=0.0)
    return tuple(msgspec.structs.replace(cut, noise=max(cut.noise, min(most, AS_NOISY * cut.spread))) for cut in cuts)


def _scores(
    model: str, name: str, spec: TensorSpec, accuracy: Accuracy, network: Network, sums: int | None
) -> ClassScores | None:
    rank = len(spec.shape)
    if accuracy.classes is not None:
        if name not in accuracy.classes:
            return None
        axis = accuracy.classes[name]
        if not -rank <= axis < rank:
            raise BuildError(
                f"model {model}: accuracy says that classes of {name!r} lie along axis {axis}; it is {spec}"
            )
        return ClassScores(axis % rank, "accuracy= says so", sums == axis % rank)
    if name in network.scores:
        return ClassScores(network.scores[name] % rank, "a softmax makes it", sums is not None)
    if sums is not None:
        return ClassScores(sums, "its rows are probabilities", True)
    return None


def _check_names(model: str, accuracy: Accuracy, rules: Mapping[str, OutputRule]) -> None:
    known = {*rules, *(cut.name for rule in rules.values() for cut in rule.slices)}
    for name in (accuracy.classes or {}).keys() - rules.keys():
        raise BuildError(f"model {model}: accuracy= has classes of {name!r}; its outputs are {', '.join(rules)}")
    for name in accuracy.unproven.keys() - known:
        raise BuildError(f"model {model}: accuracy= leaves {name!r} unproven; there are {', '.join(sorted(known))}")
