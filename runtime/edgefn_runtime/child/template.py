"""The template: a parked process of a revision, with the handler imported and the models loaded. It forks instances.

Models that run on several threads, or whose engine does not survive a fork, are loaded by each instance after its
fork; here only their engine is imported.
"""

from __future__ import annotations

import functools
import os
import sys
import time

import msgspec

from edgefn_runtime.child import sandbox
from edgefn_runtime.child.channel import Channel
from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import groups, heap, process
from edgefn_runtime.child.instance import fresh_randomness, serve
from edgefn_runtime.child.program import Loaded, LoadError, bind, load, outlives_forks, warm_up
from edgefn_runtime.child.sandbox import Enforcement, NotEnforced
from edgefn_runtime.child.serving import Service
from edgefn_runtime.wire.messages import Hello, Program, Ready, Serve, SpawnInstance

EXIT_CANNOT_LOAD = 3  # its own code, so that a child that cannot boot is told from one that crashed


def template_main(
    program: Program, expected: Enforcement, control_descriptor: int, log_descriptor: int, *cgroup_fds: int
) -> int:
    """Confine this process, load `program`, and fork an instance for each order.

    It ends when the box closes the control socket. On the order `Serve` it becomes an instance itself: it has served no
    call yet, and all that it needs is in its own pages already.
    """
    to_log(log_descriptor)
    control = Control(control_descriptor)
    control.report(Hello())
    try:
        loaded = _load_confined(program, expected, cgroup_fds)
        if outlives_forks(program):
            loaded = bind(program, loaded, control.report)
        else:
            warm_up(program)
    except LoadError as error:
        control.report(error.report)
        return EXIT_CANNOT_LOAD
    process.settle()
    control.report(loaded.ready)
    while (received := control.receive()) is not None:
        order, descriptors = received
        if isinstance(order, Serve):
            control.close()
            return _instance_main(program, loaded, *descriptors)
        if isinstance(order, SpawnInstance):
            main = functools.partial(_instance_main, program, loaded, *descriptors)
            process.fork_child(main, box_pid=program.box_pid, keep=descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    return 0


def _instance_main(program: Program, loaded: Loaded, channel_descriptor: int, board_descriptor: int) -> int:
    channel = Channel(channel_descriptor, board_descriptor)
    process.use_huge_pages(True)
    process.adopt_orphans()
    sandbox.leave_alone()
    fresh_randomness()
    started = Ready()
    if not loaded.ready.session_s:  # a session that the template had made would not run here
        try:
            loaded = bind(program, loaded, channel.send)
        except LoadError as error:
            channel.send(error.report)
            return EXIT_CANNOT_LOAD
        started = Ready(session_s=loaded.ready.session_s)
    process.limit_memory(program.memory_bytes)
    channel.send(started)
    service = Service(loaded.function, program.code, loaded.crowd, loaded.wrong, channel.board, program.concurrency)
    serve(channel, service, program.concurrency, program.memory_bytes)
    return 0


def standalone_main(
    program: Program,
    expected: Enforcement,
    channel_descriptor: int,
    board_descriptor: int,
    log_descriptor: int,
    *cgroup_fds: int,
) -> int:
    """Confine this process, load `program`, and serve in the same process.

    For the first instance, and for code that starts threads as it loads.
    """
    to_log(log_descriptor)
    channel = Channel(channel_descriptor, board_descriptor)
    channel.send(Hello())
    process.use_huge_pages(True)
    process.adopt_orphans()
    fresh_randomness()
    try:
        loaded = bind(program, _load_confined(program, expected, cgroup_fds), channel.send)
    except LoadError as error:
        channel.send(error.report)
        return EXIT_CANNOT_LOAD
    process.limit_memory(program.memory_bytes)
    channel.send(loaded.ready)
    service = Service(loaded.function, program.code, loaded.crowd, loaded.wrong, channel.board, program.concurrency)
    serve(channel, service, program.concurrency, program.memory_bytes)
    return 0


def _load_confined(program: Program, expected: Enforcement, cgroup_fds: tuple[int, ...]) -> Loaded:
    """Enter the control groups and the sandbox, then load `program`: no user code runs outside them.

    Raises LoadError.
    """
    started = time.perf_counter()
    process.name(program.function)
    try:
        groups.join(cgroup_fds)
        sandbox.enter(sandbox.confinement_of(program), expected)
    except (NotEnforced, OSError) as error:
        raise LoadError(f"cannot set up its sandbox: {error}", "") from error
    if program.load_bytes:
        process.limit_memory(program.load_bytes)  # before a line of the user's: a group may be missing here
    if program.concurrency == 1:
        heap.keep_to_one_arena()
    sandbox_s = time.perf_counter() - started
    loaded = load(program)
    return loaded._replace(ready=msgspec.structs.replace(loaded.ready, sandbox_s=sandbox_s))


def to_log(descriptor: int) -> None:
    """Send what this process and its forks print to `descriptor`, a pipe to the box."""
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # typeshed: TextIO, here TextIOWrapper
    process.no_core_dump()
