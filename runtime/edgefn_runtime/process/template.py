"""The parked process of a revision: handler imported, models loaded, one thread. It forks instances, serves nobody."""

from __future__ import annotations

import functools
import gc
import os
import sys

from edgefn_runtime.process import birth
from edgefn_runtime.process.control import Control
from edgefn_runtime.process.instance import Channel, fresh_randomness, serve
from edgefn_runtime.process.program import LoadError, load
from edgefn_runtime.process.serving import Service
from edgefn_runtime.wire.messages import Born, Program, Ready, SpawnInstance

EXIT_CANNOT_LOAD = 3  # its own code, so that a child that cannot boot is told from one that crashed


def template_main(program: Program, control_descriptor: int, log_descriptor: int) -> int:
    """Loads `program`, reports, and forks an instance for each order until the box closes the control socket."""
    _to_log(log_descriptor)
    control = Control(control_descriptor)
    control.report(Born())
    try:
        function, ready = load(program)
    except LoadError as error:
        control.report(error.report)
        return EXIT_CANNOT_LOAD
    service = Service(function, program.code)
    gc.collect()
    gc.freeze()  # the instances' collections then touch none of the shared pages
    control.report(ready)
    while (received := control.receive()) is not None:
        order, descriptors = received
        if isinstance(order, SpawnInstance):
            main = functools.partial(_instance_main, program, service, *descriptors)
            birth.fork_child(main, box_pid=program.box_pid, keep=descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    return 0


def _instance_main(program: Program, service: Service, channel_descriptor: int) -> int:
    channel = Channel(channel_descriptor)
    fresh_randomness()
    birth.limit_memory(program.memory_bytes)
    birth.first_to_go()
    channel.send(Ready())
    serve(channel, service, program.concurrency)
    return 0


def standalone_main(program: Program, channel_descriptor: int, log_descriptor: int) -> int:
    """Loads `program` and serves in the same process: for code that starts threads as it loads."""
    _to_log(log_descriptor)
    channel = Channel(channel_descriptor)
    channel.send(Born())
    try:
        function, ready = load(program)
    except LoadError as error:
        channel.send(error.report)
        return EXIT_CANNOT_LOAD
    birth.limit_memory(program.memory_bytes)
    birth.first_to_go()
    channel.send(ready)
    serve(channel, Service(function, program.code), program.concurrency)
    return 0


def _to_log(descriptor: int) -> None:
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # typeshed: TextIO, here TextIOWrapper
    birth.no_core_dump()
