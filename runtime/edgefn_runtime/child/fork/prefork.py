"""The spare child that the zygote keeps ready: forked already, and waiting for an order that gives it a function.

Android's zygote does the same (its "unspecialized app processes"). A fork of a process with NumPy, Pillow and ONNX
Runtime in it takes 4 ms, its namespaces and its root 4 ms, and the first touches of the shared pages as much again;
here all that is over before a request comes. A spare child holds no function's data, and serves one function only. It
ends with the zygote.
"""

from __future__ import annotations

import array
import socket
from collections.abc import Callable, Iterable, Sequence

from edgefn_runtime.child import sandbox
from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import groups, process
from edgefn_runtime.child.fork.forks import Forks
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.messages import Hello, Order, SpawnStandalone, SpawnTemplate

Run = Callable[[Order, list[int]], int]
NAME, NETWORK_NAME = "edgefn-spare", "edgefn-sparenet"


def fits(order: Order, *, network: bool) -> bool:
    """Tell whether a spare child with or without `network` is for the function of `order`.

    A finisher, and a template that no call waits for, are left to a fork of their own, so that a request which comes
    meanwhile finds the spare child.
    """
    match order:
        case SpawnStandalone(program) | SpawnTemplate(program, awaited=True):
            return program.network == network
    return False


def get_ready(
    ahead: Iterable[Callable[[], object]], *, network: bool, is_asked: Callable[[], bool] = lambda: False
) -> None:
    """Enter the namespaces, make a root, and go through the steps `ahead` until an order comes."""
    sandbox.prepare(network=network)
    for step in ahead:
        if is_asked():
            return  # a start that comes so soon does what is left on its way, as far as it needs it
        step()


class Spare:
    """The zygote's side of a spare child. `run` carries out the child's order; the child reports itself to `box`.

    `ahead` are steps that the child goes through before its order comes. With `network` it is for functions with the
    network, and made only once there was one.
    """

    def __init__(
        self, run: Run, box: Control, forks: Forks, ahead: Sequence[Callable[[], object]], *, network: bool = False
    ) -> None:
        self._network = network
        self._wanted = not network
        self._run = run
        self._box = box
        self._forks = forks
        self._end: socket.socket | None = None
        self._ahead = ahead

    @property
    def missing(self) -> bool:
        return self._end is None and self._wanted

    def make(self) -> None:
        """Fork a spare child. Raises OSError when the machine has no process or memory for it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptors = [theirs.fileno(), self._box.fileno()]
            self._forks.fork(lambda: self._wait(theirs.fileno()), descriptors)
        self._end = ours

    def hand(self, order: Order, descriptors: list[int]) -> bool:
        """Give the order to the spare child; return False where none can take it.

        That is so when there is none, when it has died, or when the order needs another kind: a spare child either has
        the host's network or has left it, and an order with a group of version 2 needs a child that is born in the
        group.
        """
        if groups.folder_of(descriptors) is not None or not fits(order, network=self._network):
            return False
        self._wanted = True
        if self._end is None:
            return False
        end, self._end = self._end, None
        with end:
            try:
                rights = array.array("i", descriptors)
                end.sendmsg([messages.encode(order)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            except OSError:
                return False
        return True

    def _wait(self, descriptor: int) -> int:
        """Wait in the child for its order, and carry it out; end when the zygote is gone."""
        process.name(NETWORK_NAME if self._network else NAME)
        if not self._box.reaches(Hello()):  # the kernel tells the box its pid along with it
            return 0  # the box has let go of the zygote meanwhile
        self._box.close()
        zygote = Control(descriptor)
        get_ready(self._ahead, network=self._network, is_asked=lambda: zygote.waits(0))
        received = zygote.receive()
        zygote.close()
        return 0 if received is None else self._run(*received)
