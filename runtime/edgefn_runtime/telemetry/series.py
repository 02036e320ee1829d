"""The labelled series that requests and starts are counted in, and how they come and go."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

OUTCOMES = ("ok", "client_error", "error", "timeout", "lost", "rejected", "canceled")
NOT_RUN = frozenset({"rejected", "canceled"})
"""Counted but not timed: a refusal takes microseconds and would make a full box look fast."""

REASONS = ("queue", "deadline", "unavailable")
"""Why a request was refused, each the `reason` of an error below RetryLater in edgefn.errors."""

TOKEN_REASONS = ("missing", "wrong", "scope", "rate")
"""Why a request was not let in."""

DURATION_BUCKETS_S = (
    *(0.001, 0.0025),  # an echo takes 1 ms; the rest is what OpenTelemetry advises for requests
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)

Labels = tuple[str, str]
_REVISION = ("function", "revision")


class RevisionSeries(NamedTuple):
    """The series of one revision, looked up: finding a labelled series costs as much as three additions to it."""

    counts: dict[str, Counter]
    rejections: dict[str, Counter]
    duration: Histogram
    coldstarts: Counter


class Series:
    """All labelled series of one registry that are counted as things happen."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.invocations = Counter(
            "edgefn_invocations", "Requests, by outcome.", (*_REVISION, "outcome"), registry=registry
        )
        self.rejections = Counter(
            "edgefn_rejections", "Refused requests, by reason.", (*_REVISION, "reason"), registry=registry
        )
        self.duration = Histogram(
            "edgefn_invoke_duration_seconds",
            "Seconds from admission to answer, of requests that ran.",
            _REVISION,
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self.coldstarts = Counter(
            "edgefn_coldstarts", "Requests that waited for an instance to start.", _REVISION, registry=registry
        )
        self.phases = Histogram(
            "edgefn_cold_start_seconds",
            "Seconds of each phase of instance starts.",
            ("function", "phase"),
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )

        self.refused_tokens = Counter(
            "edgefn_refused_tokens", "Requests refused at authorization, by reason.", ("reason",), registry=registry
        )
        for reason in TOKEN_REASONS:
            self.refused_tokens.labels(reason)

    def of(self, labels: Labels) -> RevisionSeries:
        """Return the series of a revision; they are in the scrape from now on, at 0."""
        return RevisionSeries(
            {outcome: self.invocations.labels(*labels, outcome) for outcome in OUTCOMES},
            {reason: self.rejections.labels(*labels, reason) for reason in REASONS},
            self.duration.labels(*labels),
            self.coldstarts.labels(*labels),
        )

    def forget(self, labels: Labels) -> None:
        """Remove the series of a revision from the scrape."""
        for outcome in OUTCOMES:
            self.invocations.remove(*labels, outcome)
        for reason in REASONS:
            self.rejections.remove(*labels, reason)
        self.duration.remove(*labels)
        self.coldstarts.remove(*labels)
