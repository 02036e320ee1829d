"""Parts of a function's status as a person reads them. Pure; it must never print."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from edgefn.text.quantities import format_bytes

if TYPE_CHECKING:
    from edgefn.api.artifacts import Finishing
    from edgefn.api.functions import FunctionStatus, PastRevision

SHORT_DIGEST = 12


def digest(text: str) -> str:
    """Return the first figures of "sha256:…": enough to tell revisions apart."""
    return text.removeprefix("sha256:")[:SHORT_DIGEST]


def revision(status: FunctionStatus | PastRevision) -> str:
    """Return the revision's number and its digest, as "3 (0f3a…)"."""
    return f"{status.number} ({digest(status.revision)})"


def memory(status: FunctionStatus) -> str:
    """Return the private memory of the function's processes together, or "-" when it has none.

    The processes are its template and its instances.
    """
    processes = [*status.instances, *([status.template] if status.template else ())]
    return format_bytes(sum(process.private_bytes or 0 for process in processes)) if processes else "-"


def moment(iso: str) -> str:
    """Return an ISO time in this machine's time zone, to the second.

    A text that is no time is returned unchanged.
    """
    try:
        return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return iso


def callers(who: str) -> str:
    """Describe for people who may call the functions of a box."""
    known = {
        "token": "callers with a token",
        "open": "everybody who can reach the box (--open)",
        "loopback": "everybody on the box's machine",
    }
    return known.get(who, who)


def share(top1: float | None) -> str:
    """Return the top-1 agreement in per cent, or "-" where it has no meaning."""
    return "-" if top1 is None else f"{top1:.1%}"


def error(found: float | None) -> str:
    """Return an error with two figures, or "-" when it was not measured.

    It is a fraction of how far the answer moves.
    """
    return "-" if found is None else f"{found:.1e}"


def finishing(found: Finishing) -> str:
    """Return the progress of the artifacts that are being finished while the function serves."""
    which = f", {found.artifact} since {moment(found.since)}" if found.artifact else ", waiting for the next"
    return f"{found.done} of {found.total} artifacts are finished{which}"
