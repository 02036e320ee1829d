"""The process that all templates are forked from: one thread, with what every function needs already imported.

Run as `python -m edgefn_runtime.child.fork.zygote DESCRIPTOR`, with a control socket as that descriptor. It never runs
a line of a user's code and holds no secret.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from edgefn_runtime.child import sandbox
from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import groups, pages, process
from edgefn_runtime.child.fork.forks import Forks
from edgefn_runtime.child.fork.prefork import Spare, get_ready
from edgefn_runtime.child.sandbox import Enforcement, namespaces, reaper
from edgefn_runtime.child.template import standalone_main, template_main
from edgefn_runtime.wire.messages import MakeSpare, Order, Ready, SpawnFinisher, SpawnStandalone, SpawnTemplate

NAME = "edgefn-zygote"
SPARE_DELAY_S = 0.05
"""The delay from an order to the next spare child, unless the box asks earlier: the last child gets the CPU first."""


def main(descriptor: int) -> int:
    """Warm up, report ready, and fork children on order until the box closes the control socket."""
    namespaces.enter_user()
    process.die_with_parent()
    process.name(NAME)
    process.use_huge_pages(False)
    for number in (signal.SIGINT, signal.SIGHUP):  # for the box alone; a service manager sends them to all of a unit
        signal.signal(number, signal.SIG_IGN)
    control = Control(descriptor)
    # For its forks, in which a lone surrogate in what a handler prints is no error. typeshed: TextIO.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _warm_up()
    forks = Forks(control, os.getppid())
    isolation = forks.probe()
    if isolation.get("own_pids") is not True:
        reaper.start(control)
    run = functools.partial(_become, isolation)
    ahead = _ahead(isolation)
    spares = [Spare(run, control, forks, ahead, network=network) for network in (False, True)]
    process.settle()
    control.report(Ready(threads=process.thread_count(), isolation=isolation))
    _serve(control, spares, forks, isolation, ahead)
    return 0


def _serve(
    control: Control, spares: list[Spare], forks: Forks, isolation: Enforcement, ahead: Sequence[Callable[[], object]]
) -> None:
    is_over = False
    while True:
        for missing in filter(lambda spare: spare.missing, spares):
            if not control.waits(0 if is_over else SPARE_DELAY_S):
                _make(missing)
        if (received := control.receive()) is None:
            return
        order, descriptors = received
        is_over = isinstance(order, MakeSpare)
        if not is_over and not any(spare.hand(order, descriptors) for spare in spares):
            try:
                _spawn(order, forks, isolation, descriptors, ahead)
            except OSError as error:  # the box sees that nobody has the other ends of its descriptors
                print(f"cannot start a process: {error}", file=sys.stderr)
        for inherited in descriptors:
            os.close(inherited)


def _make(spare: Spare) -> None:
    try:
        spare.make()
    except OSError as error:  # no process or memory left: an order will be told, if it is so still
        print(f"cannot start a spare process: {error}", file=sys.stderr)
        time.sleep(SPARE_DELAY_S)


def _spawn(
    order: Order,
    forks: Forks,
    isolation: Enforcement,
    descriptors: list[int],
    ahead: Sequence[Callable[[], object]],
) -> None:
    main = functools.partial(_become, isolation, order, descriptors)
    if isinstance(order, SpawnTemplate) and not order.awaited:
        main = functools.partial(_become_after, ahead, order.program.network, main)
    forks.fork(main, descriptors, groups.folder_of(descriptors))


def _become_after(ahead: Sequence[Callable[[], object]], network: bool, main: Callable[[], int]) -> int:
    """Do all that a spare child does ahead, because no call waits for this child, and then run `main`."""
    get_ready(ahead, network=network)
    return main()


def _become(isolation: Enforcement, order: Order, descriptors: list[int]) -> int:
    """Carry out a child's order, to its end; return the exit code."""
    match order:
        case SpawnTemplate(program):
            return template_main(program, isolation, *descriptors)
        case SpawnStandalone(program):
            return standalone_main(program, isolation, *descriptors)
        case SpawnFinisher(request):
            from edgefn_runtime.child.finisher import finisher_main  # what it needs no function does

            return finisher_main(request, isolation, *descriptors)
    return 0


def _ahead(isolation: Enforcement) -> list[Callable[[], object]]:
    """Return the steps that a spare child goes through before its order, the most useful one first."""
    from edgefn_runtime.child.warmup import WARMUPS

    touch = functools.partial(pages.touch, pages.mapped())
    return [touch, functools.partial(sandbox.warm_up, isolation), *WARMUPS]


def _warm_up() -> None:
    """Run once what costs time only the first time.

    That is: import the modules of handlers and engines, make one tiny session, serve two requests.
    """
    import PIL.PngImagePlugin  # noqa: F401 - a handler that reads no image costs nothing by it: pages are shared

    from edgefn import backends
    from edgefn_runtime.child.warmup import warm_up

    for first_time in (backends.get("onnxruntime").warm_up, warm_up):
        try:
            first_time()
        except Exception:  # an engine that was deleted, a Pillow without JPEG: functions without it start all the same
            traceback.print_exc()


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):  # the box has gone, maybe because it could not start
        sys.exit(main(int(sys.argv[1])))
