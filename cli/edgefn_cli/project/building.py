"""A build: an order for the compiler, its events as they come, its result or its error.

The compiler imports torch and the function's own code; this process imports neither, so a crash, a memory
fault or a leak of a network's builder ends the child and not the command. It must never print.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from edgefn.api.problems import Problem, error_of
from edgefn.errors import BuildError, BundleError, PartialBuild
from edgefn.system import signals
from edgefn_cli.display.failures import MissingExtra
from edgefn_cli.project.compiler import Compiler

if TYPE_CHECKING:
    from edgefn.bundle.oci.layout import Bundle

_COMPILE_EXTRA = re.compile(r"No module named '(torch|onnx|onnxscript|onnxruntime|packaging)\b")

Event = dict[str, Any]
Seen = Callable[[str, Event], None]


@dataclass(frozen=True)
class BuildRequest:
    """The order to build a function's folder into an OCI layout directory; without `targets`, for edgefn.toml's.

    `packages` are the shared packages of `project`, which the build finds there itself.
    """

    folder: Path
    layout: Path
    project: Path | None = None
    reuse_golden: bool = False
    force: bool = False
    targets: tuple[str, ...] = ()
    timeout: str | None = None
    packages: Mapping[str, Path] = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """Return the order as the compiler's arguments."""
        options = ["--project", str(self.project)] if self.project is not None else []
        options += ["--reuse-golden"] * self.reuse_golden + ["--force"] * self.force
        # In one word each: a value that begins with a dash is wrong, and is to be told as that and not as an option.
        options += [f"--target={name}" for name in self.targets]
        options += [f"--timeout={self.timeout}"] if self.timeout is not None else []
        return [str(self.folder), "--output", str(self.layout), *options]


@dataclass(frozen=True)
class BuildResult:
    """A finished build: the bundle's manifest digest, its function's name, and the report as the compiler gave it."""

    digest: str
    function: str
    cached: bool
    layout: Path
    report: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the members of the build verb's JSON."""
        return asdict(self) | {"layout": str(self.layout)}

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """Return the report's artifacts, those in the bundle and those that are not."""
        return list(self.report.get("artifacts", ()))

    @property
    def models(self) -> list[dict[str, Any]]:
        """Return the report's models."""
        return list(self.report.get("models", ()))

    @property
    def missing(self) -> list[dict[str, Any]]:
        """Return the artifacts that were wanted and are not in the bundle."""
        return [each for each in self.artifacts if each.get("status", "built") not in ("built", "skipped")]


def build(order: BuildRequest, seen: Seen) -> BuildResult:
    """Build; call `seen` with the function's name and each event. The child has ended afterwards.

    Raises the compiler's error, with its trace as a note, and MissingExtra without the compile extra.
    """
    with Compiler.begin(order.arguments()) as child:
        return follow(child, order, seen)


def built_last(order: BuildRequest) -> Bundle:
    """Open the bundle that the order's function was built into last.

    Raises BundleError when there is none, or when another folder of the function's name was built after it.
    """
    from edgefn.bundle.oci.layout import Layout

    name = order.folder.name
    bundle = Layout(order.layout).open(name)
    try:
        told = json.loads((order.layout / "reports" / f"{name}.json").read_bytes())
        source = (order.layout / told["folder"]).resolve() if told["digest"] == bundle.manifest_digest else order.folder
    except (OSError, ValueError, KeyError, TypeError):  # it was carried here without, or an older build wrote it
        return bundle
    if source != order.folder:
        raise BundleError(f"the bundle of {name} in {order.layout} was built from {source}: build {order.folder} again")
    return bundle


def partial(built: Sequence[BuildResult]) -> PartialBuild | None:
    """Return the error of bundles that lack artifacts; None when nothing is missing.

    Its message has the reason for each artifact.
    """
    said = [
        f"{each.function} was built without {len(each.missing)} of its {len(each.artifacts)} artifacts: "
        + ". ".join(str(one["reason"]) for one in each.missing)
        for each in built
        if each.missing
    ]
    return PartialBuild(". ".join(said)) if said else None


class Builder:
    """Builds again and again: the child for the next build is started before it is needed. A context manager."""

    def __init__(self) -> None:
        self._next: Compiler | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._next is not None:
            self._next.end()

    def prepare(self) -> None:
        """Start a child that waits for the next order, unless one waits already."""
        if self._next is None:
            self._next = Compiler.wait()

    def build(self, order: BuildRequest, seen: Seen) -> BuildResult:
        """Build as `build` does, with the waiting child, if there is one."""
        waiting, self._next = self._next, None
        if waiting is None:
            return build(order, seen)
        with waiting:
            if waiting.give(order.arguments()):
                return follow(waiting, order, seen)
        return build(order, seen)


def follow(child: Compiler, order: BuildRequest, seen: Seen) -> BuildResult:
    """Follow the order that `child` works on; return its result or raise its error."""
    last: Event = {}
    for last in child.events():
        seen(order.folder.name, last)
    code = child.code()
    if last.get("event") == "built":
        return _built(order, last)
    raise _told(last) if last.get("event") == "error" else _crash(order, code, child.last_words())


def _built(order: BuildRequest, event: Event) -> BuildResult:
    return BuildResult(
        digest=str(event["digest"]),
        function=str(event["function"]),
        cached=bool(event.get("cached")),
        layout=order.layout,
        report=dict(event.get("report") or {}),
    )


def _told(event: Event) -> Exception:
    if missing := _COMPILE_EXTRA.search(str(event.get("detail", ""))):
        return MissingExtra(f"{missing[1]}, required to build,", "compile")
    error = error_of(msgspec.convert(event, Problem))
    if trace := str(event.get("trace") or ""):
        error.add_note(trace)
    return error


def _crash(order: BuildRequest, code: int, last_words: str) -> Exception:
    if missing := _COMPILE_EXTRA.search(last_words):
        return MissingExtra(f"{missing[1]}, required to build,", "compile")
    how = f"was killed by {signals.name_of(-code)}" if code < 0 else f"exited with code {code}"
    advice = "it may have run out of memory" if code == -signal.SIGKILL else "its last output is above"
    error = BuildError(f"the build of {order.folder} {how} and gave no result: {advice}")
    error.add_note(last_words)
    return error
