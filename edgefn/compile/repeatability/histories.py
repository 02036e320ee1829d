"""Tell whether answers depend on a history that the samples did not have: another input first, or very many calls.

A background that the first frame leaves stays for all that come after, so running a sample again shows nothing; a
count of calls that matters at every hundredth one shows nothing in sixteen. Judges by answers, and only a network that
has changed something of its own: a table that any first call fills alike is fine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.repeatability import purity
from edgefn.compile.samples import trials
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample

if TYPE_CHECKING:
    import torch

    from edgefn.session import Arrays

MANY = 2**10 * 3**3 * 5**4 * 7
"""Calls: far more than a limit that one writes, and a multiple of nearly every interval."""


MIXED = 1
"""Which of the inputs that are made of a single sample comes first in its place: mixed with its mirror image."""


def check(
    session: EagerSession, samples: Sequence[GoldenSample], before: Mapping[str, object], renew: Callable[[], Any]
) -> None:
    """Raise BuildError if the first sample's answer depends on the first call, or on the number of calls.

    `before` is what the network held before its first run; `renew` returns a session of it, built anew.
    """
    after = purity.attributes(session.network)
    changed = [name for name in after if before.get(name) != after[name]]
    if not changed:
        return
    written = ", ".join(f"self.{name}" for name in changed[:3])
    if _differs_after_another(samples, renew):
        raise BuildError(
            f"model {session.spec.name}: its answers depend on the input that came first: forward() keeps "
            f"{written} from its first call, and an artifact would keep what the first sample left for good. Make "
            "that an input, or compute it in the builder and keep it with register_buffer"
        )
    counts = [name for name in changed if _is_count(before.get(name)) and _is_count(after[name])]
    if counts and _differs_after_many(session, samples[0], counts):
        raise BuildError(purity.remembers(session.spec.name, counts))


def _differs_after_another(samples: Sequence[GoldenSample], renew: Callable[[], Any]) -> bool:
    """Tell whether a network that meets another input first answers the first sample otherwise."""
    first = samples[0]
    other = samples[-1].inputs if len(samples) > 1 else list(trials.stressed(samples))[MIXED]
    try:
        fresh = renew()
        fresh.run(other)
        answers: Arrays = fresh.run(first.inputs)
    except Exception:  # a builder that builds once, a table that the first input makes too small: nothing is shown
        return False
    return purity.differ(first.outputs, answers)


def _is_count(value: object) -> bool:
    """Tell whether an attribute, as `purity.attributes` has it, is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def _differs_after_many(session: EagerSession, sample: GoldenSample, counts: Sequence[str]) -> bool:
    """Tell whether the sample has another answer, or none, once the `counts` are about MANY."""
    with _counted(session.network, counts, MANY - 2):
        try:
            return any(purity.differ(sample.outputs, session.run(sample.inputs)) for _ in range(3))
        except Exception:  # the network's own: it does not go on for so long
            return True


@contextmanager
def _counted(network: torch.nn.Module, counts: Sequence[str], value: int) -> Iterator[None]:
    """Set the attributes `counts`, by path, to `value` for the block, and restore them afterwards."""
    places = [(network.get_submodule(path), name) for path, _, name in (one.rpartition(".") for one in counts)]
    before = [getattr(module, name) for module, name in places]
    try:
        for module, name in places:
            setattr(module, name, value)
        yield
    finally:
        for (module, name), usual in zip(places, before, strict=True):
            setattr(module, name, usual)
