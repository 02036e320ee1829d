"""Every error edgefn raises on purpose: one tree, each class with its HTTP status and its exit code.

    EdgefnError                    500   1   the root; never raised itself
    ├── SpecError                  400   2   a decorator option, a type hint or edgefn.toml is wrong
    ├── BuildError                 400   8   the build failed: the model does not export, wheels do not resolve
    │   ├── CaptureError           400   8   a network does not become a program or ONNX; the message has all there is
    │   ├── GateError              422   4   an artifact is out of its accuracy bound
    │   └── PartialBuild           422   13  the bundle was written without some artifact that was wanted
    ├── BundleError                400   3   a bundle is corrupt, incomplete, unsafe, or not for this box
    ├── DeploymentRefused          422   9   the box refused a revision; the one before it goes on
    ├── InputError                 400   2   a request does not fit the function's declared inputs
    │   ├── BodyTooLarge           413   2   a body over the function's limit
    │   ├── PictureTooLarge        413   2   a picture that needs more memory than the function has
    │   └── UnsupportedMediaType   415   2   a content type that the function's input cannot be read from
    │       └── UnsupportedEncoding 415  2   a body that is compressed in a way that is not read
    ├── NotAcceptable              406   2   no form that the caller accepts can hold the result
    ├── ModelInputError            500   1   a handler calls a model with arrays that are not its inputs
    ├── SizeError                  500   1   a handler calls a model with a length that it does not take
    ├── WrongShape                 500   1   an artifact gave an output of another shape; it serves no more
    ├── FunctionNotFound           404   6   no function of that name on this box
    ├── TokenNotFound              404   6   no token of that name on this box
    ├── Unauthorized               401   7   a token is missing, or the box does not know it
    ├── Forbidden                  403   7   the token is for something else
    ├── RetryLater                 503   75  not now; Retry-After says when
    │   ├── QueueFull              429   75  the function's queue is full
    │   ├── RateExceeded           429   75  the token is used more often than it is for
    │   ├── NotInTime              503   75  the function is not expected to answer before the deadline
    │   └── Unavailable            503   75  the function cannot be served now
    ├── HandlerError               500   1   the handler raised; the trace is in the function's log
    ├── HandlerTimeout             504   1   the function did not answer in time
    ├── InstanceLost               502   1   the instance died while it held the request
    ├── BoxUnreachable             503   5   no box answers at that address
    ├── HomeError                  500   10  the box's home directory cannot be used
    ├── PortInUse                  500   11  another program listens on the box's port
    └── DiskFull                   507   12  no room left for what was to be written

A message says what happened, to which object, and what to do next. `as_problem` gives the problem+json
members of RFC 9457; a caller's mistake is explained to the caller, an internal failure is told in brief.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class EdgefnError(Exception):
    """The root of the tree. `status` is the HTTP status, `exit_code` what the CLI leaves with."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def as_problem(self) -> dict[str, Any]:
        """Return the members of an `application/problem+json` body (RFC 9457)."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            "error": type(self).__name__,
        }


class SpecError(EdgefnError):
    """A decorator option, a type hint or a key of edgefn.toml that cannot be honoured."""

    status = 400
    exit_code = 2


class BuildError(EdgefnError):
    """The build cannot give a bundle; the message names the function, the model and the next step."""

    status = 400
    exit_code = 8


class CaptureError(BuildError):
    """A network that no artifact can be made of: the message has the operator, the author's line and the way out.

    Its cause is PyTorch's own exception, whose trace tells the author nothing more.
    """


class GateError(BuildError):
    """An artifact disagrees with the eager float32 outputs by more than its bound."""

    status = 422
    exit_code = 4


class PartialBuild(BuildError):
    """A bundle was written, and lacks an artifact that was wanted; the message names each with its reason."""

    status = 422
    exit_code = 13


class BundleError(EdgefnError):
    """A bundle that is corrupt, incomplete, unsafe to unpack, or not made for this box."""

    status = 400
    exit_code = 3


class DeploymentRefused(EdgefnError):
    """The box did not take a revision; whatever served before goes on serving.

    `trace` is the handler's traceback when its import failed, else empty.
    """

    status = 422
    exit_code = 9

    def __init__(self, message: str, *, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace

    def as_problem(self) -> dict[str, Any]:
        return super().as_problem() | ({"trace": self.trace} if self.trace else {})


class InputError(EdgefnError):
    """A request that does not fit the declared inputs. `field` is the path of what is wrong, or empty."""

    status = 400
    exit_code = 2

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field

    def as_problem(self) -> dict[str, Any]:
        return super().as_problem() | ({"field": self.field} if self.field else {})


class BodyTooLarge(InputError):
    """A request body over the function's `max_body`; refused before it is read."""

    status = 413

    @classmethod
    def over(cls, function: str, most: int) -> BodyTooLarge:
        """Return the refusal of a body that has more than the `most` bytes that `function` takes."""
        return cls(f"{function} takes bodies of at most {most} bytes; raise max_body in its @edge_function")


class PictureTooLarge(InputError):
    """A picture that needs more memory, once decoded, than the function has."""

    status = 413


class UnsupportedMediaType(InputError):
    """A content type from which the function's input cannot be read."""

    status = 415


class UnsupportedEncoding(UnsupportedMediaType):
    """A Content-Encoding that is not read."""


class NotAcceptable(EdgefnError):
    """No form that the request accepts can hold the function's result.

    `available` are the media types that can, the one that is sent by default first.
    """

    status = 406
    exit_code = 2

    def __init__(self, message: str, *, available: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.available = available

    def as_problem(self) -> dict[str, Any]:
        return super().as_problem() | {"available": list(self.available)}


class ModelInputError(EdgefnError):
    """A handler calls a model with an array of another name, dtype or rank than its inputs have.

    It is the author's mistake, not the caller's: what a caller sends is held against the handler's own parameters.
    """


class SizeError(EdgefnError):
    """A free dimension of a model's input has a length outside its range.

    It is the handler's mistake, and so no 400: declare the range with the parameter, `Annotated[np.ndarray,
    tensor("float32", Dim("length", max=512))]`, or raise InputError.
    """


class WrongShape(EdgefnError):
    """An artifact gave an output whose shape is not the network's. Whatever the answer holds, it is none."""


class FunctionNotFound(EdgefnError):
    """No function of that name is deployed on this box."""

    status = 404
    exit_code = 6


class TokenNotFound(EdgefnError):
    """No token of that name is known on this box."""

    status = 404
    exit_code = 6


class Unauthorized(EdgefnError):
    """A request came without a token where one is asked for, or with one that the box does not know."""

    status = 401
    exit_code = 7


class Forbidden(EdgefnError):
    """A token that the box knows, whose scopes do not open what was asked for."""

    status = 403
    exit_code = 7


class RetryLater(EdgefnError):
    """A request that may succeed later; `retry_after_s` (whole seconds, ≥ 1) goes into Retry-After.

    `reason` is what the box's metrics count it under.
    """

    status = 503
    exit_code = 75
    reason: ClassVar[str] = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(RetryLater):
    """As many requests wait for the function as its `queue` allows."""

    status = 429
    reason = "queue"


class RateExceeded(RetryLater):
    """A token is used more often than its rate allows; nothing was done."""

    status = 429
    reason = "rate"


class NotInTime(RetryLater):
    """By what was learnt the function cannot answer before the request's deadline, so it does not begin."""

    reason = "deadline"


class Unavailable(RetryLater):
    """The function is deployed but cannot serve now: its template fails to load, or the box is draining."""


class HandlerError(EdgefnError):
    """The handler raised. The trace is in the function's log under `id`, never in the answer."""

    def __init__(self, function: str, id: str) -> None:
        super().__init__(f"{function} raised an exception; see `edgefn logs {function}` for id {id}")
        self.id = id

    def as_problem(self) -> dict[str, Any]:
        return super().as_problem() | {"id": self.id}


class HandlerTimeout(EdgefnError):
    """No answer within the function's `timeout`, or the request's own, shorter one; the message says which."""

    status = 504


class InstanceLost(EdgefnError):
    """The instance died (exit, signal, out of memory) while it held the request."""

    status = 502


class BoxUnreachable(EdgefnError):
    """No box answers at the address; the message says which and how to start one."""

    status = 503
    exit_code = 5


class HomeError(EdgefnError):
    """The box's home directory is not writable, is locked by another box, or was written by a newer edgefn."""

    exit_code = 10


class PortInUse(EdgefnError):
    """Another program listens on the box's port."""

    exit_code = 11


class DiskFull(EdgefnError):
    """No room on the disk for what was to be written; nothing was changed."""

    status = 507
    exit_code = 12


def as_refusal(kind: str, detail: str, field: str) -> InputError:
    """Return the InputError of the class named `kind` that says `detail`, which holds the field already.

    A class of the author's own, below InputError, is an InputError to callers.
    """
    found = globals().get(kind, InputError)
    refusal = found(detail) if isinstance(found, type) and issubclass(found, InputError) else InputError(detail)
    refusal.field = field
    return refusal
