"""The choice of revisions in the scrape: each function's newest revisions that were called, none of a removed one.

A handle is made for every revision that is loaded, also for one that is then refused; its series are made when
it first counts. Of a function, only the KEPT_REVISIONS that did so last keep theirs: the one that serves and the
one that drains. Else a day of `edgefn dev`, where each save is a revision, would fill the scrape.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from edgefn_runtime.telemetry.series import NOT_RUN, Labels, RevisionSeries, Series

KEPT_REVISIONS = 2

_SHORT = 12


class InvocationMetrics:
    """Counts the requests of one revision. It runs for every request: a few additions, 3 µs."""

    __slots__ = ("__weakref__", "_invocations", "labels", "removed", "series")

    def __init__(self, labels: Labels, invocations: Invocations) -> None:
        self.labels = labels
        self.series: RevisionSeries | None = None
        self.removed = False
        self._invocations = invocations

    def observe(self, outcome: str, seconds: float, cold: bool) -> None:
        """Count one request that ended as `outcome` (one of OUTCOMES) after `seconds`."""
        if self.removed:
            return
        series = self.series or self._invocations.enter(self)
        series.counts[outcome].inc()
        if outcome not in NOT_RUN:
            series.duration.observe(seconds)
        if cold:
            series.coldstarts.inc()

    def rejected(self, reason: str) -> None:
        """Count one request that was refused for `reason` (one of REASONS), beside its outcome."""
        if not self.removed:
            (self.series or self._invocations.enter(self)).rejections[reason].inc()


class Invocations:
    """The handles of all revisions, and which of them are in the scrape."""

    def __init__(self, series: Series) -> None:
        self._series = series
        self._handles: WeakValueDictionary[Labels, InvocationMetrics] = WeakValueDictionary()
        self._entered: dict[str, list[InvocationMetrics]] = {}

    def handle(self, function: str, revision: str) -> InvocationMetrics:
        """Return the handle of a revision.

        It is the same one as long as it is referenced or in the scrape.
        """
        labels = (function, revision.removeprefix("sha256:")[:_SHORT])
        handle = self._handles.get(labels)
        if handle is None:
            handle = self._handles[labels] = InvocationMetrics(labels, self)
        return handle

    def enter(self, handle: InvocationMetrics) -> RevisionSeries:
        """Add `handle` to the scrape; the function's oldest one leaves where there are too many."""
        entered = self._entered.setdefault(handle.labels[0], [])
        entered.append(handle)
        while len(entered) > KEPT_REVISIONS:
            self._leave(entered.pop(0))
        handle.series = self._series.of(handle.labels)
        return handle.series

    def remove(self, function: str) -> None:
        """Remove the function from the scrape; counts of its handles are ignored from now on."""
        for handle in self._entered.pop(function, []):
            self._leave(handle)
        for handle in [handle for handle in self._handles.values() if handle.labels[0] == function]:
            handle.removed = True
            del self._handles[handle.labels]

    def _leave(self, handle: InvocationMetrics) -> None:
        handle.series = None
        self._series.forget(handle.labels)
