"""The messages between the box process and its children, as msgpack arrays tagged by a short name.

They are validated on arrival: a child runs a user's code and is not trusted to keep the protocol. Durations are bounded
to what a clock can give, so that no sum of them becomes "not a number" for ever; texts are bounded by their frame, or
by their packet.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from edgefn.bundle.config import ArtifactEntry
from edgefn.spec import Batching, ModelSpec
from edgefn.text.bounded import replaced

Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1e12)]
ContentType = Annotated[str, msgspec.Meta(max_length=256)]


class _Message(msgspec.Struct, frozen=True, array_like=True):
    """An array on the wire: [tag, field, ...]."""


# ── box → zygote, box → template ──────────────────────────────────────────────────────────────────────────────


class ServedModel(_Message, frozen=True):
    """A model of the revision and the finished artifact to load for it, by absolute path.

    Each of its calls is checked against `spec`: the lengths that it takes, and the shapes of its outputs.
    """

    artifact: ArtifactEntry
    folder: str
    batching: Batching | None = None
    spec: ModelSpec | None = None


class Program(_Message, frozen=True):
    """All that a child needs to become a revision's template: paths are absolute, sizes in bytes.

    `load_bytes` bounds what it allocates until it is loaded, where that is not 0. `box_pid` is the process that must be
    its parent: when that one dies, so does the child. `network` lets it use the host's network, `devices` are nodes it
    may use. `processes` bounds those of the function, threads included. `uid` is the user it runs as where the box can
    set it; 0 is none. Models are loaded in each instance after the fork, not in the template, when the engine uses more
    than one of `threads` or its sessions do not survive fork().
    """

    function: str
    entry: str
    code: str
    wheels: str
    models: tuple[ServedModel, ...]
    memory_bytes: int
    concurrency: int
    box_pid: int
    network: bool = False
    processes: int = 64
    threads: int = 1
    devices: tuple[str, ...] = ()
    uid: int = 0
    load_bytes: int = 0


class FinishRequest(_Message, frozen=True):
    """One artifact of an unpacked bundle that is to be finished and proved; paths are absolute, sizes in bytes.

    artifact        its `ArtifactEntry.path`
    folder          an empty folder, which the process fills
    beside          the folder of the model's first artifact, finished, and its backend: it is timed beside that; or ""
    inputs          what it is made from, hashed
    memory_bytes    that it may allocate
    folder_bytes    that the folder may hold, in at most `folder_files` files and folders
    programs        whether it may start programs
    uid             the user that it runs as where the box is root; `processes` bounds those of that user
    box_pid         the process that must be its parent
    """

    bundle: str
    artifact: str
    folder: str
    beside: str
    beside_backend: str
    threads: int
    inputs: str
    memory_bytes: int
    folder_bytes: int
    folder_files: int
    devices: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    programs: bool = False
    uid: int = 0
    processes: int = 256
    box_pid: int = 0


class SpawnTemplate(_Message, frozen=True, tag="template"):
    """Fork a template. Descriptors: its control socket, the write end of its log pipe, its control groups."""

    program: Program
    awaited: bool = True
    """Whether somebody waits for it."""


class SpawnStandalone(_Message, frozen=True, tag="standalone"):
    """Fork a child that loads the program and serves at once, for what must not be forked after loading.

    Descriptors: its channel, its board's memory, the write end of its log pipe, its control groups.
    """

    program: Program


class SpawnInstance(_Message, frozen=True, tag="instance"):
    """Fork an instance off this template. Descriptors: its channel, its board's memory.

    No control group: a process with a group's descriptor that the box has opened can put any process into it, and a
    template runs a user's code.
    """


class Serve(_Message, frozen=True, tag="serve"):
    """Be an instance from now on, and a template no more. Descriptors: as for SpawnInstance."""


class SpawnFinisher(_Message, frozen=True, tag="finisher"):
    """Fork a process that finishes and proves an artifact, confined to what the request names, and ends.

    Descriptors: its control socket, the write end of its log pipe, its control groups.
    """

    request: FinishRequest


class MakeSpare(_Message, frozen=True, tag="spare"):
    """Make the missing spare child: the start that its making would have slowed down is over. No descriptors."""


Order = SpawnTemplate | SpawnStandalone | SpawnInstance | SpawnFinisher | Serve | MakeSpare

# ── zygote, template → box ────────────────────────────────────────────────────────────────────────────────────


class Hello(_Message, frozen=True, tag="hello"):
    """First message of a new process; its pid comes from the socket's credentials, which the kernel vouches for."""


class Ready(_Message, frozen=True, tag="ready"):
    """Loaded and waiting. `threads` above 1 means that it must not be forked. Durations in seconds.

    The zygote adds the layers of isolation of this machine: True where enforced, or why not.
    """

    import_s: Seconds = 0.0
    session_s: Seconds = 0.0
    threads: int = 1
    sandbox_s: Seconds = 0.0
    isolation: dict[str, bool | str] = {}


class Binding(_Message, frozen=True, tag="binding"):
    """It is about to load an artifact, by `ArtifactEntry.path`: if the process dies now, that engine is the cause.

    Sent only for artifacts that another one can replace.
    """

    artifact: str


class Failed(_Message, frozen=True, tag="failed"):
    """It could not load, and ends after this message. `trace` is the user's traceback.

    `artifact` is the path of the one whose session does not load; "" where something else failed.
    """

    reason: str
    trace: str = ""
    artifact: str = ""


class Finished(_Message, frozen=True, tag="finished"):
    """An artifact was finished and tried: its proof as JSON. `full` is set when the disk had no room for it."""

    proof: bytes = b""
    full: str = ""


class Init(_Message, frozen=True, tag="init"):
    """First message of the first process of a PID namespace, or of a reaper; its pid comes with it, as for Hello."""


class Passing(_Message, frozen=True, tag="passing"):
    """From a process that forks another and ends; its pid comes with it, so that the box reaps it."""


Report = Hello | Init | Passing | Binding | Ready | Failed | Finished

# ── box → instance ────────────────────────────────────────────────────────────────────────────────────────────


class Invoke(_Message, frozen=True, tag="invoke"):
    """One request; the frame's body is the HTTP body. `deadline` is on the clock of time.monotonic(), in seconds.

    `encoding` is the body's Content-Encoding.
    """

    id: int
    deadline: float
    content_type: str
    query: str
    accept: str
    encoding: str = ""


class Compare(_Message, frozen=True, tag="compare"):
    """A question about the handler's answers; the frame's body is an edgefn.accuracy.answers.record.Question.

    The instance compares its own answer with eager's: the author's comparison is a user's code, too. It replies with an
    Answer whose body is the difference, as MessagePack: a Mismatch, or nil.
    """

    id: int
    deadline: float


Asked = Invoke | Compare

# ── instance → box ────────────────────────────────────────────────────────────────────────────────────────────


class Answer(_Message, frozen=True, tag="answer"):
    """The handler's result, encoded; the frame's body is the HTTP body. Durations in seconds."""

    id: int
    content_type: ContentType
    decode_s: Seconds
    run_s: Seconds
    encode_s: Seconds


class Refusal(_Message, frozen=True, tag="refusal"):
    """The request does not fit the declared inputs. `error` names the class in edgefn.errors."""

    id: int
    error: str
    detail: str
    field: str
    decode_s: Seconds


class Crash(_Message, frozen=True, tag="crash"):
    """The handler raised; the trace is for the log alone."""

    id: int
    trace: str
    decode_s: Seconds
    run_s: Seconds


class Unacceptable(_Message, frozen=True, tag="unacceptable"):
    """The handler answered, and no form that the request accepts can hold its result. `available` can."""

    id: int
    detail: str
    available: tuple[str, ...]
    decode_s: Seconds
    run_s: Seconds


class Returned(_Message, frozen=True, tag="returned"):
    """The call was revoked, or its deadline had passed: the handler has not seen it."""

    id: int


class Batched(_Message, frozen=True, tag="batched"):
    """The result of a trial of a model's batching, which the instance follows from now on. Sent after each trial.

    `gain` is rows a second batched ÷ one by one, `rows` the mean batch.
    """

    model: str
    on: bool
    rows: Share
    gain: Share


class WrongAnswer(_Message, frozen=True, tag="wrong"):
    """The artifact of that path gave an output of another shape than the network's. Sent before the call's reply."""

    artifact: str
    reason: str


class Leaving(_Message, frozen=True, tag="leaving"):
    """The instance has leaked nearly all of its memory: it finishes what it has begun, and returns the rest."""


Reply = Answer | Refusal | Unacceptable | Crash
FromInstance = Hello | Binding | Ready | Failed | Reply | Returned | Batched | WrongAnswer | Leaving

MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the decoders raise for invalid messages; msgspec does not convert the errors for a tag that is not UTF-8 and for
data that is data that is data that is nested too deeply."""

_encode = msgspec.msgpack.Encoder().encode


def encode(message: _Message) -> bytes:
    """Encode a message; a lone surrogate in a text of it becomes a question mark."""
    try:
        return _encode(message)
    except UnicodeEncodeError:
        return _encode(_without_surrogates(msgspec.to_builtins(message)))


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return replaced(value)
        case list() | tuple():
            return [_without_surrogates(each) for each in value]
        case dict():
            return {_without_surrogates(name): _without_surrogates(each) for name, each in value.items()}
    return value


decode_order = msgspec.msgpack.Decoder(Order).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
decode_invoke = msgspec.msgpack.Decoder(Asked).decode
decode_from_instance = msgspec.msgpack.Decoder(FromInstance).decode
