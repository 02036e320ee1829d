"""Where a revision's instances come from: its template; the zygote, where there is none yet or none may be.

The first instance after no process at all loads by itself, a fork and a hand-over sooner than by a template
(docs/decisions/cold-start.md). The template is made behind it, for those that follow.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from edgefn.errors import InstanceLost
from edgefn_runtime.scheduling.deadlines import StartTime
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.supervisor.cores import threads_for
from edgefn_runtime.supervisor.instance import Instance
from edgefn_runtime.supervisor.sockets import LogPipe, channel_pair, shared_board
from edgefn_runtime.supervisor.template import LOAD_DEADLINE_S, Template
from edgefn_runtime.supervisor.zygote import Zygote
from edgefn_runtime.wire import messages

START_DEADLINE_S = 10.0
PROCESSES = 64
"""Processes and threads for each instance of a function: for its engine, its handler and programs that it starts."""

FOLLOW_S = 0.1
"""So long after the first answer of an instance that started alone its template is made."""


class Nursery:
    """One per revision. `log` takes a line of a child's output, `observe` a phase of a start and its seconds."""

    def __init__(
        self,
        zygote: Zygote,
        log: Callable[[str], None],
        note: Callable[[str, str], None],
        observe: Callable[[str, float], None],
    ) -> None:
        self._zygote = zygote
        self._log = log
        self.note = note
        self._observe = observe
        self._template: Template | None = None
        self._making: asyncio.Task[Template] | None = None
        self._following: asyncio.TimerHandle | None = None
        self._fork_safe = True
        self.phases: dict[str, float] = {}
        self.start_time = StartTime()

    @property
    def has_template(self) -> bool:
        return self._template is not None

    @property
    def current(self) -> Template | None:
        return self._template

    async def bear(self, instance: Instance, revision: Revision, *, alone: bool) -> None:
        """`instance` runs and is ready. Raises DeploymentRefused (it does not load) or InstanceLost (it died).

        `alone`: no other starts beside it, so it need not wait for a template that they would share.
        """
        asked, parked = time.perf_counter(), self.has_template
        template = None if alone and self._making is None and self._template is None else await self.template(revision)
        started = time.perf_counter()
        ours, theirs = channel_pair()
        board, board_descriptor = shared_board()
        try:
            if template is None:
                await self._order_standalone(revision, theirs.fileno(), board_descriptor)
            else:
                template.spawn(theirs.fileno(), board_descriptor)
        except OSError as error:
            ours.close()
            self._template_died()
            raise InstanceLost(f"the template of {revision.config.function.name} is gone ({error})") from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(board_descriptor)
        loads = template is None or threads_for(revision.config.function) > 1
        await instance.start(ours, board, LOAD_DEADLINE_S if loads else START_DEADLINE_S)
        now = time.perf_counter()
        self.start_time.add(now - asked, parked=parked)
        took = now - started
        if template is None:
            took -= self._loaded(instance.ready)
            self._judge(instance.ready, revision)
        elif loads:
            took -= instance.ready.session_s
            self.phase("session", instance.ready.session_s)
        self.phase("fork", took)

    def follow(self, revision: Revision) -> None:
        """An instance has answered; where there is no template, one is made soon, when the first calls are over."""
        if self._template is None and self._making is None and self._fork_safe and self._following is None:
            self._following = asyncio.get_running_loop().call_later(FOLLOW_S, self._follow, revision)

    def _follow(self, revision: Revision) -> None:
        self._following = None
        if self._template is None and self._making is None:
            self._begin(revision)

    async def template(self, revision: Revision) -> Template | None:
        """The revision's template, loaded; one start for all who wait. None where it must not be forked."""
        if self._template is None and self._fork_safe:
            await asyncio.shield(self._making or self._begin(revision))
        return self._template

    def _begin(self, revision: Revision) -> asyncio.Task[Template]:
        self._making = asyncio.create_task(self._make(revision))
        self._making.add_done_callback(self._made)
        return self._making

    async def close(self) -> None:
        """No template is left; instances go on."""
        if self._following is not None:
            self._following.cancel()
            self._following = None
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        template, self._template = self._template, None
        if template is not None:
            await template.close()

    async def _make(self, revision: Revision) -> Template:
        started = time.perf_counter()
        template = await self._load(program_of(revision))
        self._loaded(template.ready)
        self.phase("template", time.perf_counter() - started)
        self._judge(template.ready, revision)
        if self._fork_safe:
            self._template = template
        else:
            await template.close()
        return template

    def _judge(self, ready: messages.Ready, revision: Revision) -> None:
        """What has threads once it is loaded must not be forked; said once."""
        if ready.threads > 1 and self._fork_safe:
            self._fork_safe = False
            self.note(
                f"{revision.config.function.name} starts threads as it loads, so it cannot be forked when loaded: "
                "each instance loads it anew. Start threads in the handler to have fast starts.",
                "",
            )

    async def _load(self, program: messages.Program) -> Template:
        try:
            return await Template.start(self._zygote, program, self._log, self._template_died)
        except InstanceLost:  # the zygote died with the order in hand; the next one gets it
            return await Template.start(self._zygote, program, self._log, self._template_died)

    def _made(self, task: asyncio.Task[Template]) -> None:
        self._making = None
        if not task.cancelled():
            task.exception()  # every waiter has had it

    def _template_died(self) -> None:
        template, self._template = self._template, None
        if template is not None:
            self._closing = asyncio.create_task(template.close())

    async def _order_standalone(self, revision: Revision, channel: int, board: int) -> None:
        pipe = LogPipe(self._log)
        try:
            await self._zygote.order(messages.SpawnStandalone(program_of(revision)), [channel, board, pipe.child_end])
        finally:
            pipe.handed_over()

    def _loaded(self, ready: messages.Ready) -> float:
        """Its phases are known; the seconds that they took together."""
        self.phase("sandbox", ready.sandbox_s)
        self.phase("import", ready.import_s)
        self.phase("session", ready.session_s)
        return ready.sandbox_s + ready.import_s + ready.session_s

    def phase(self, name: str, seconds: float) -> None:
        """A phase of a start took `seconds`: fork, sandbox, import, session, first_run, or the whole template."""
        self.phases[name] = seconds
        self._observe(name, seconds)


def program_of(revision: Revision) -> messages.Program:
    """What a child needs to know of `revision`: absolute paths of its code, wheels and finished artifacts."""
    config, spec = revision.config, revision.config.function
    chosen = {artifact.model: artifact for artifact in reversed(config.artifacts)}  # the first of each model
    threads = threads_for(spec)
    batching = {entry.spec.name: entry.batching for entry in config.models}
    return messages.Program(
        function=spec.name,
        entry=spec.entry,
        code=str(revision.folder / "code"),
        wheels=str(revision.folder / "wheels") if config.wheels else "",
        models=tuple(
            messages.ServedModel(artifact, str(revision.finished / artifact.path), batching.get(artifact.model))
            for artifact in chosen.values()
        ),
        memory_bytes=spec.memory_bytes,
        concurrency=spec.concurrency,
        box_pid=os.getpid(),
        network=spec.network,
        processes=(PROCESSES + threads) * (1 + spec.scale[1]),
        threads=threads,
    )
