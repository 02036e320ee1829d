"""Errors as answers."""

from __future__ import annotations

import errno
import json
import logging
import os
from typing import Any

import msgspec
import pytest
from starlette.exceptions import HTTPException

from edgefn import errors
from edgefn.errors import (
    DeploymentRefused,
    EdgefnError,
    FunctionNotFound,
    HandlerError,
    InputError,
    QueueFull,
    Unauthorized,
    Unavailable,
)
from edgefn_runtime.gateway.problems import as_event, problem


def answered(error: Exception) -> tuple[int, dict[str, str], dict[str, Any]]:
    status, headers, body = problem(error)
    assert len(body) == int(dict(headers)[b"content-length"])
    return status, {key.decode(): value.decode() for key, value in headers}, json.loads(body)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EdgefnError)]
)
def test_every_error_has_its_own_status(kind: type[EdgefnError]) -> None:
    """The status line, the member `status` and the class agree; the type and its name tell a program apart."""
    error = HandlerError("echo", "1") if kind is HandlerError else kind("what happened")
    status, headers, members = answered(error)
    assert status == members["status"] == kind.status
    assert members["error"] == kind.__name__
    assert members["detail"] == str(error)
    assert headers["content-type"] == "application/problem+json"


def test_who_must_wait_is_told_how_long() -> None:
    """Retry-After is whole seconds, and never 0, which would say `at once`."""
    assert answered(QueueFull("full", retry_after_s=7))[1]["retry-after"] == "7"
    assert answered(QueueFull("full", retry_after_s=0))[1]["retry-after"] == "1"
    assert "retry-after" not in answered(FunctionNotFound("no"))[1]


def test_who_is_not_known_is_told_the_scheme() -> None:
    """RFC 9110 wants WWW-Authenticate in every 401."""
    assert answered(Unauthorized("no token"))[1]["www-authenticate"].startswith("Bearer")


def test_members_of_a_class_are_told() -> None:
    """The field of bad input and the trace of a refused deployment reach the caller."""
    assert answered(InputError("too small", field="n"))[2]["field"] == "n"
    assert answered(DeploymentRefused("no", trace="Traceback"))[2]["trace"] == "Traceback"


def test_what_nobody_raised_on_purpose_is_logged_in_full_and_told_in_brief(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller gets an id and nothing of the inside; the log has the trace under that id."""
    try:
        raise ZeroDivisionError("secret of the box")
    except ZeroDivisionError as error:
        with caplog.at_level(logging.ERROR, logger="edgefn.gateway"):
            status, _, members = answered(error)
    assert status == 500
    assert "secret" not in json.dumps(members)
    assert members["id"] in caplog.text
    assert "secret of the box" in caplog.text
    assert "Traceback" in caplog.text


def test_the_routers_own_errors_are_problems_too() -> None:
    """404 and 405 look like everything else, and keep their headers."""
    status, headers, members = answered(HTTPException(405, "POST only", {"Allow": "POST"}))
    assert (status, headers["allow"], members["error"]) == (405, "POST", "MethodNotAllowed")


def test_the_last_line_of_a_stream_has_the_exit_code() -> None:
    """The CLI leaves with it, without knowing the class."""
    assert json.loads(msgspec.json.encode(as_event(DeploymentRefused("no", trace="t")))) == {
        "event": "error",
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "no",
        "error": "DeploymentRefused",
        "trace": "t",
        "exit_code": 9,
    }


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_machine_that_has_no_room_is_no_fault_of_the_boxs(code: int, caplog: pytest.LogCaptureFixture) -> None:
    """It is told as 503 with Retry-After, and as a line without a trace in the log; other errors are 500."""
    status, headers, members = answered(OSError(code, os.strerror(code), "/some/path"))
    assert (status, headers["retry-after"], members["error"]) == (503, "1", "Unavailable")
    assert "/some/path" not in members["detail"]
    assert as_event(OSError(code, os.strerror(code))).exit_code == Unavailable.exit_code
    assert all(record.exc_info is None for record in caplog.records)
    assert answered(OSError(errno.EIO, "broken"))[0] == 500
