"""What an instance does to what it shares with the box, and what it sends: tried from inside real handlers."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from edgefn.errors import InstanceLost
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.frames import MAX_ANSWER_BYTES, MAX_HEADER_BYTES, PREFIX, encode_frame
from edgefn_runtime.workers.instance import Instance
from tests.runtime.pool.bench import Bench, OnBench

MIB = 2**20

RUNS = r"""
import array, fcntl, gc, mmap, os, re, socket, struct, time

def channel():
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            found = socket.socket(fileno=os.dup(fd))
        except OSError:
            continue
        if found.type == socket.SOCK_STREAM:
            return found

def board():
    return next(one for one in gc.get_objects() if type(one).__name__ == "Board")._words

@edge_function
def f(code: str = "") -> str:
    names = dict(globals())
    try:
        exec(code, names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return str(names.get("found", "done"))
"""


def memory_bytes() -> int:
    """What this process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def frame(message: Any, body: bytes = b"") -> bytes:
    return b"".join(map(bytes, encode_frame(messages.encode(message), body)))


# ── what is shared ───────────────────────────────────────────────────────────────────────────────────────────────

LOOKS = """
import os, time
from edgefn_runtime.child.control import Control

def links(fds=None):
    found = []
    for fd in os.listdir("/proc/self/fd") if fds is None else fds:
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            pass  # the one that listed the folder
    return found

at_import, orders, receive = links(), [], Control.receive

def look(self):
    received = receive(self)
    orders.extend(links(received[1]) if received else [])
    return received

Control.receive = look

@edge_function
def f(sleep: float = 0.0) -> dict[str, list[str]]:
    time.sleep(sleep)
    return {"import": at_import, "order": orders, "call": links()}
"""


def kinds(links: list[str]) -> list[str]:
    """What descriptors are for, by what they point at."""
    many = ("pipe:", "socket:", "/memfd:")
    found = [link.partition(":")[0] if link.startswith(many) else link for link in links]
    return sorted(re.sub(r"^/proc/\d+/(?=statm$)", "its ", kind) for kind in found)


@pytest.mark.parametrize("how", ["from nothing", "a template", "a fork of the template"])
def test_each_descriptor_of_a_child_is_known(on_bench: OnBench, how: str) -> None:
    """At the handler's import, with an order to a template, and in a call: each descriptor has a known end.

    stdin is /dev/null, stdout and stderr are the log, then there is the channel or the control socket, the board, and
    the figures of its own memory. So none leads to a control group, another child or a file of the box: on version 1 a
    function moved a stranger's process into its group, and the box killed that with it.
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(LOOKS, scale=(0, 2))
        if how == "from nothing":
            await bench.supervisor.stop_function("f")
        calls = [bench.submit(sleep=0.3) for _ in range(1 + how.startswith("a fork"))]
        for call in calls:
            found = {when: kinds(links) for when, links in bench.answer(await call.future).items()}
            board = ["/memfd"] if how == "from nothing" else []
            assert found["import"] == ["/dev/null", *board, "pipe", "pipe", "socket"]
            assert set(found["order"]) == (set() if how == "from nothing" else {"/memfd", "socket"})
            assert found["call"] == ["/dev/null", "/memfd", "its statm", "pipe", "pipe", "socket"]

    on_bench(test)


@pytest.mark.parametrize("how", ["from nothing", "a template"])
def test_what_a_child_shares_with_the_box_is_the_board_alone(on_bench: OnBench, how: str) -> None:
    """Of all that is mapped into it, one page can be written that is not its own; what is read is the system's files.

    As its code is imported, in its template, and in a call.
    """
    source = """
    def shared():
        with open("/proc/self/maps") as maps:
            lines = [line.split(None, 5) for line in maps]
        return [f"{line[1]} {''.join(line[5:]).strip()}" for line in lines if line[1].endswith("s")]
    imported = shared()
    @edge_function
    def f() -> dict[str, list[str]]:
        return {"imported": imported, "called": shared()}
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        if how == "from nothing":
            await bench.supervisor.stop_function("f")
        found = await bench.ask()
        assert isinstance(found, dict)
        if how == "a template":
            found["template"] = _shared(await bench.template())
        for where, mappings in found.items():
            written = [one for one in mappings if "w" in one.split()[0]]
            assert len(written) <= 1, (where, mappings)
            assert all("board" in one for one in written)
            files = [one.split()[-1] for one in mappings if one not in written]
            assert all(name.startswith(("/usr/", "/lib")) for name in files), (where, files)
        assert [one for one in found["called"] if "board" in one], "what a call is told by"

    on_bench(test)


def _shared(pid: int) -> list[str]:
    lines = [line.split(None, 5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return [f"{line[1]} {''.join(line[5:]).strip()}" for line in lines if line[1].endswith("s")]


def test_the_board_cannot_be_cut(on_bench: OnBench) -> None:
    """A template, which has run a user's code, cuts each memory that it is handed: refused, and the box serves on.

    One ftruncate took the box's page away, and the next look at it was a SIGBUS.
    """
    source = """
    import os
    from edgefn_runtime.child.control import Control
    receive, told = Control.receive, []
    def look(self):
        received = receive(self)
        for fd in received[1] if received else []:
            if "board" in os.readlink(f"/proc/self/fd/{fd}"):
                for size in (0, 1 << 20):
                    try:
                        os.ftruncate(fd, size)
                        told.append("cut")
                    except OSError as error:
                        told.append(error.strerror)
        return received
    Control.receive = look
    @edge_function
    def f() -> list[str]:
        return told
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        assert await bench.ask() == ["Operation not permitted"] * 2

    on_bench(test)


def test_a_board_is_sealed() -> None:
    """By its descriptor, which each instance is given: neither smaller nor larger, and no seal more."""
    import fcntl

    from edgefn_runtime.workers.sockets import shared_board

    board, descriptor = shared_board()
    try:
        for size in (0, 100, 2**20):
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, size)
        with pytest.raises(PermissionError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        assert board.entered == 0
    finally:
        board.release()
        os.close(descriptor)


@pytest.mark.parametrize("word", [0, 2**63, 2**64 - 1])
def test_whatever_is_written_on_the_board_harms_its_own_calls_alone(on_bench: OnBench, word: int) -> None:
    """Each word of it at any value, while calls lie behind: every call ends, and the next one is answered."""
    lie = f"for place in range(len(board())): board()[place] = {word}\ntime.sleep(0.3)"

    async def test(bench: Bench) -> None:
        await bench.deploy(RUNS, scale=(0, 1), timeout_s=2.0)
        for _ in range(100):
            await bench.ask()
        calls = [bench.submit(code=lie), *(bench.submit() for _ in range(10))]
        ends = await asyncio.wait_for(asyncio.gather(*(one.future for one in calls), return_exceptions=True), 20)
        assert len(ends) == 11
        await bench.supervisor.stop_function("f")
        assert await bench.ask() == "done"

    on_bench(test)


def test_the_box_takes_no_descriptor(on_bench: OnBench) -> None:
    """Descriptors sent along the channel stay out of the box, whatever they are of."""
    send = """
fds = array.array("i", [os.open("/dev/null", os.O_RDONLY)] * 8)
try:
    channel().sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    channel().sendmsg([struct.pack("!II", 1 << 16, 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
except OSError as error:
    found = error.strerror
"""

    async def test(bench: Bench) -> None:
        await bench.deploy(RUNS, scale=(0, 1))
        await bench.ask()
        before = len(os.listdir("/proc/self/fd"))
        ends: list[object] = await asyncio.gather(bench.ask(code=send), return_exceptions=True)
        assert len(os.listdir("/proc/self/fd")) <= before, ends
        assert ends == ["Operation not permitted"] or isinstance(ends[0], InstanceLost)  # before Linux 6.16

    on_bench(test)


# ── what it sends ────────────────────────────────────────────────────────────────────────────────────────────────

SENDS = {
    "bytes that are no frame": b"\xff" * 100,
    "a header over the bound": PREFIX.pack(MAX_HEADER_BYTES + 1, 0),
    "a body over the bound": PREFIX.pack(10, MAX_ANSWER_BYTES + 1),
    "an answer that nobody asked for": frame(messages.Answer(10**6, "text/plain", 0, 0, 0)),
    "a large one": frame(messages.Answer(10**6, "text/plain", 0, 0, 0), bytes(MIB)),
    "a call that it does not hold": frame(messages.Returned(10**6)),
    "a start": frame(messages.Ready()),
    "a failure": frame(messages.Failed("for no reason")),
    "names": b"".join(frame(messages.Batched(f"net{n}", True, 1, 1)) for n in range(1000)),
    "levels without an end": PREFIX.pack(100_011, 0) + b"\x93\xa8returned\x01" + b"\x91" * 100_000,
    "durations that are none": frame(messages.Answer(1, "text/plain", float("nan"), float("inf"), -1)),
}


@pytest.mark.parametrize("data", SENDS.values(), ids=SENDS)
def test_what_no_instance_says_ends_that_one_alone(on_bench: OnBench, data: bytes) -> None:
    """Written past edgefn to the channel: the call is lost with the reason, others and the next are answered."""
    cut = len(data.rstrip(b"\0"))
    send = f"channel().sendall({data[:cut]!r} + bytes({len(data) - cut}))\ntime.sleep(5)"

    async def test(bench: Bench) -> None:
        await bench.deploy(RUNS, scale=(0, 1))
        await bench.deploy("import os\n@edge_function\ndef f() -> int: return os.getpid()", number=2, name="g")
        neighbour = await bench.ask("g")
        await bench.ask()
        with pytest.raises(InstanceLost, match="no answer"):
            await bench.ask(code=send)
        assert await bench.ask("g") == neighbour
        assert await bench.ask() == "done"

    on_bench(test)


def test_a_flood_of_frames_does_not_hold_up_the_box(on_bench: OnBench) -> None:
    """An instance that writes frames as fast as it can is ended at the first that does not fit."""
    send = f"data = {frame(messages.Leaving())!r} * 20000\nend = channel()\nwhile True: end.sendall(data)"

    async def test(bench: Bench) -> None:
        await bench.deploy(RUNS, scale=(0, 1))
        await bench.ask()
        gc.collect()
        gc.freeze()  # as the box does: what else this process holds is not looked through for each few frames
        try:
            call, started = bench.submit(code=send), time.thread_time()
            await asyncio.wait([call.future])
            spent_s = time.thread_time() - started
        finally:
            gc.unfreeze()
        with pytest.raises(InstanceLost):
            await call.future
        assert spent_s < 0.5, "and not ten seconds, until its timeout"

    on_bench(test)


def test_a_frame_that_drips_is_not_read_for_ever(on_bench: OnBench) -> None:
    """Byte by byte it keeps the event loop awake: the instance is ended before it has cost more than some reads."""

    async def test(bench: Bench) -> None:
        await bench.deploy(RUNS, scale=(0, 1))
        await bench.ask()
        with pytest.raises(InstanceLost, match="pieces"):
            await bench.ask(code="for _ in range(8000):\n    channel().sendall(bytes([0, 0, 9, 9][_ : _ + 1] or [0]))")
        assert await bench.ask() == "done"

    on_bench(test)


def test_unfinished_answers_take_what_is_set_aside_and_no_more(on_bench: OnBench) -> None:
    """Six instances of two functions, each with a whole answer but its last byte: the box holds 96 MiB of them."""
    hold = f"""
me = board()[0]
import msgspec
header = msgspec.msgpack.encode(["answer", me, "text/plain", 0.0, 0.0, 0.0])
channel().sendall(struct.pack("!II", len(header), {30 * MIB}) + header)
left = {30 * MIB - 1}
while left:
    left -= channel().send(bytes(min(left, 1 << 20)))
time.sleep(60)
"""

    async def test(bench: Bench) -> None:
        await bench.deploy(RUNS, scale=(0, 3), timeout_s=3.0)
        await bench.deploy(RUNS, number=2, name="g", scale=(0, 3), timeout_s=3.0)
        for name in "fg":
            await bench.ask(name)
        before = memory_bytes()
        calls = [bench.submit(60.0, name, code=hold) for name in "fg" for _ in range(3)]
        most, answers = 0, bench.supervisor._budget.answers
        while not all(call.future.done() for call in calls):
            await asyncio.sleep(0.01)
            most = max(most, memory_bytes() - before)
            assert answers.taken_bytes <= 96 * MIB
        assert most < 110 * MIB
        await asyncio.gather(*(call.future for call in calls), return_exceptions=True)
        for name in "fg":
            assert await bench.ask(name) == "done"
        assert answers.taken_bytes == 0

    on_bench(test)


def test_large_answers_wait_for_each_other_and_all_come(on_bench: OnBench) -> None:
    """Together more than may be held at a time: each is whole."""
    source = """
    @edge_function
    def f(n: int, size: int) -> str:
        return chr(97 + n) * size
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 4), memory_bytes=512 * MIB, queue=20)
        calls = [bench.submit(n=n, size=20 * MIB + n) for n in range(6)]
        for n, call in enumerate(calls):
            outcome = await call.future
            assert outcome.body == b'"' + bytes([97 + n]) * (20 * MIB + n) + b'"'
        assert bench.supervisor._budget.answers.taken_bytes == 0

    on_bench(test)


def test_an_answer_over_the_bound_is_told_and_costs_nobody_else(on_bench: OnBench) -> None:
    """A caller that makes a handler answer with too much gets an error; the instance lives."""
    source = """
    import os
    @edge_function
    def f(size: int) -> bytes:
        return bytes(size) if size else str(os.getpid()).encode()
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1), memory_bytes=512 * MIB)
        pid = (await bench.submit(size=0).future).body
        outcome = await bench.submit(size=MAX_ANSWER_BYTES + 1).future
        assert isinstance(outcome.reply, messages.Crash)
        assert str(MAX_ANSWER_BYTES) in outcome.reply.trace
        assert (await bench.submit(size=0).future).body == pid

    on_bench(test)


WORDS = {
    "reports": r'b"\x92\xa7binding\xa1x"',
    "what is none": r'b"\xff" * 1000',
    "levels without an end": r'b"\x93\xa7binding\xa1x" + b"\x91" * 100_000',
}


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_a_template_cannot_talk_the_box_into_the_ground(
    on_bench: OnBench, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    """What floods its control socket with reports is taken for a template that has ended; the function serves."""
    source = """
    import os, socket
    for fd in map(int, os.listdir("/proc/self/fd")):
        try: end = socket.socket(fileno=os.dup(fd))
        except OSError: continue
        if end.type == socket.SOCK_SEQPACKET:
            end.setblocking(False)
            try:
                for _ in range(1000): end.send(WORD)
            except OSError: pass
    @edge_function
    def f() -> int:
        return 1
    """

    async def test(bench: Bench) -> None:
        started = time.thread_time()
        with pytest.raises(Exception, match="while it was loaded"):
            await bench.deploy(source.replace("WORD", word))
        assert time.thread_time() - started < 0.5

    on_bench(test)
    assert not caplog.records, "nothing of it is the box's own fault"


def test_news_without_a_transport(on_bench: OnBench) -> None:
    """An instance keeps figures of models that it has, and of no others, whatever names it says."""

    async def test(bench: Bench) -> None:
        await bench.deploy("@edge_function\ndef f() -> int: return 1")
        instance = Instance("f", bench.supervisor.pool("f"), bench.supervisor._budget.answers)
        instance.models, instance._news_left = frozenset({"net"}), 10
        for name in ("net", "other", "x" * 100_000):
            instance.data_received(frame(messages.Batched(name, True, 1.0, 1.0)))
        assert list(instance.batching) == ["net"]

    on_bench(test)
