"""Faults done to a running box: a sequence that a seed decides, one after another, while clients go on asking.

It knows processes by what the box's status says, and signals none that is not a child of the box. What it did, and to
whom, is in `done`; what it did is the same for a seed, to which process it came depends on the moment.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx
import psutil

from edgefn.bundle.oci.layout import Bundle
from tests.e2e.box import Refused, RunningBox
from tests.e2e.processes import alive, zygote_of

KILLS: Mapping[str, int] = {"kill an instance": 6, "kill a template": 2, "kill the zygote": 1, "look": 2}
"""Weights of the faults after which each request is answered, or is lost with the one instance that was in it."""

CLIENTS: Mapping[str, int] = {"leave": 3, "send half a request": 3, "say nothing": 2}
"""Weights of what clients do wrong."""

STOPS: Mapping[str, int] = {"stop an instance for a moment": 3, "stop an instance for good": 1}
"""Weights of SIGSTOP, with SIGCONT and without."""

OPERATIONS: Mapping[str, int] = {"stop a function": 1, "deploy": 1, "roll back": 1}
"""Weights of what an operator does."""

EVERYTHING = {**KILLS, **CLIENTS, **STOPS, **OPERATIONS}


class Injector:
    """Use it as a context manager: faults begin on entering and have ended on leaving, stopped processes go on."""

    def __init__(
        self,
        box: RunningBox,
        seed: int,
        functions: Sequence[str],
        kinds: Mapping[str, int],
        *,
        every_s: float = 0.1,
        bundles: Sequence[Bundle] = (),
    ) -> None:
        """Does `kinds`, by weight, to `functions`, one fault each `every_s` on average; `bundles` go there in turn."""
        self.seed = seed
        self.done: list[str] = []
        self._box = box
        self._functions = functions
        self._kinds = kinds
        self._every_s = every_s
        self._bundles = itertools.cycle(bundles)
        self._over = threading.Event()
        self._frozen: list[psutil.Process] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="faults")

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for process in self._frozen:
            self._signal(process, signal.SIGCONT)
        if self._error is not None and error is None:
            raise AssertionError(f"the injector broke: {self._error!r}\n{self.told()}") from self._error

    def told(self) -> str:
        """The seed and all that was done, for a test that fails."""
        return f"seed {self.seed}: {'; '.join(self.done)}"

    def count(self, *kinds: str) -> int:
        """How many faults of these kinds met somebody."""
        return sum(done.split(":")[0] in kinds for done in self.done)

    def counts(self) -> Counter[str]:
        """How many of each kind met somebody."""
        return Counter(done.split(":")[0] for done in self.done)

    # ── the sequence ─────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            with httpx.Client(base_url=self._box.url, timeout=30) as self._http:
                for kind, name, chance, pause in sequence(self.seed, self._functions, self._kinds):
                    if self._over.wait(pause * self._every_s):
                        return
                    victim = self._do(kind, name, chance)
                    if victim:
                        self.done.append(f"{kind}: {victim} at {time.monotonic() - self._began:.2f} s")
        except BaseException as error:
            self._error = error

    def _do(self, kind: str, name: str, chance: float) -> str:
        """Whom it met, "" when nobody was there."""
        deeds: dict[str, Callable[[str, float], str]] = {
            "kill an instance": self._kill_instance,
            "kill a template": self._kill_template,
            "kill the zygote": self._kill_zygote,
            "look": self._look,
            "leave": self._leave,
            "send half a request": self._send_half,
            "say nothing": self._say_nothing,
            "stop an instance for a moment": self._freeze_for_a_moment,
            "stop an instance for good": self._freeze,
            "stop a function": self._stop_function,
            "deploy": self._deploy,
            "roll back": self._roll_back,
        }
        return deeds[kind](name, chance)

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────

    def _kill_instance(self, name: str, chance: float) -> str:
        return self._signal(self._instance(name, chance), signal.SIGKILL)

    def _kill_template(self, name: str, _chance: float) -> str:
        template = self._box.status(name).template
        return self._signal(self._child(template.pid) if template else None, signal.SIGKILL)

    def _kill_zygote(self, _name: str, _chance: float) -> str:
        return self._signal(zygote_of(self._box.pid), signal.SIGKILL)

    def _freeze(self, name: str, chance: float) -> str:
        process = self._instance(name, chance)
        told = self._signal(process, signal.SIGSTOP)
        if told and process is not None:
            self._frozen.append(process)
        return told

    def _freeze_for_a_moment(self, name: str, chance: float) -> str:
        process = self._instance(name, chance)
        told = self._signal(process, signal.SIGSTOP)
        self._over.wait(chance * 0.3)
        self._signal(process, signal.SIGCONT)
        return told

    def _instance(self, name: str, chance: float) -> psutil.Process | None:
        pids = [instance.pid for instance in self._box.status(name).instances if instance.pid]
        return self._child(pids[int(chance * len(pids))]) if pids else None

    def _child(self, pid: int) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            return process if process.ppid() == self._box.pid else None
        return None

    @staticmethod
    def _signal(process: psutil.Process | None, number: signal.Signals) -> str:
        if process is None or not alive(process):
            return ""
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            return str(process.pid)
        return ""

    # ── an operator ──────────────────────────────────────────────────────────────────────────────────────────

    def _stop_function(self, name: str, _chance: float) -> str:
        self._box.stop_function(name)
        return name

    def _deploy(self, _name: str, _chance: float) -> str:
        bundle = next(self._bundles, None)
        if bundle is None:
            return ""
        with contextlib.suppress(Refused):  # its template was killed as it loaded: what served goes on
            self._box.deploy(bundle)
        return bundle.config.function.name

    def _roll_back(self, name: str, _chance: float) -> str:
        return f"{name} {self._box.admin('POST', f'functions/{name}/rollback', json={}).status_code}"

    def _look(self, name: str, _chance: float) -> str:
        self._box.status(name), self._box.functions(), self._box.logs(name, 10)
        for path in ("/metrics", "/readyz", "/healthz", "/openapi.json"):
            assert self._http.get(path).status_code in (200, 503), path
        return name

    # ── clients ──────────────────────────────────────────────────────────────────────────────────────────────

    def _leave(self, name: str, chance: float) -> str:
        with self._connected() as client:
            client.sendall(request(name, b'{"n": -1, "seconds": 0.2}'))
            self._over.wait(chance * 0.1)
        return name

    def _send_half(self, name: str, chance: float) -> str:
        whole = request(name, b'{"n": -1}')
        with self._connected() as client:
            client.sendall(whole[: 1 + int(chance * (len(whole) - 1))])
        return name

    def _say_nothing(self, _name: str, chance: float) -> str:
        with self._connected():
            self._over.wait(chance * 0.05)
        return "the port"

    def _connected(self) -> socket.socket:
        host, _, port = self._box.url.removeprefix("http://").partition(":")
        return socket.create_connection((host, int(port)), timeout=10)


def sequence(seed: int, functions: Sequence[str], kinds: Mapping[str, int]) -> Iterator[tuple[str, str, float, float]]:
    """Without end: the fault, the function, a number below 1 that picks a process or a moment, and the pause before."""
    chance = random.Random(seed)
    names, weights = list(kinds), list(kinds.values())
    while True:
        kind = chance.choices(names, weights)[0]
        yield kind, chance.choice(functions), chance.random(), 0.5 + chance.random()


def request(name: str, body: bytes, *, declared: int | None = None) -> bytes:
    """The bytes of a POST of `body`, which may claim to be longer."""
    length = len(body) if declared is None else declared
    head = f"POST /fn/{name} HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\ncontent-length: {length}"
    return f"{head}\r\n\r\n".encode() + body
