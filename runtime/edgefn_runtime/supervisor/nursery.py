"""Where a revision's instances come from: its template, made when first needed; the zygote, where that is not safe."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from edgefn.errors import InstanceLost
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.supervisor.instance import Instance
from edgefn_runtime.supervisor.sockets import LogPipe, channel_pair, shared_board
from edgefn_runtime.supervisor.template import LOAD_DEADLINE_S, Template
from edgefn_runtime.supervisor.zygote import Zygote
from edgefn_runtime.wire import messages

START_DEADLINE_S = 10.0
PROCESSES = 64
"""Processes and threads for each instance of a function: for its engine, its handler and programs that it starts."""


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
        self._fork_safe = True
        self.phases: dict[str, float] = {}

    @property
    def has_template(self) -> bool:
        return self._template is not None

    @property
    def current(self) -> Template | None:
        return self._template

    async def bear(self, instance: Instance, revision: Revision) -> None:
        """`instance` runs and is ready. Raises DeploymentRefused (it does not load) or InstanceLost (it died)."""
        template = await self.template(revision)
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
        try:
            await instance.start(ours, board, START_DEADLINE_S if template is not None else LOAD_DEADLINE_S)
        except InstanceLost:
            if template is not None and template.stopped and template is self._template:
                self._template_died()  # it forks nothing until somebody lets it go on: the next start gets another
            raise
        if template is None:
            self._loaded(instance.ready)
        self.phase("fork", time.perf_counter() - started)

    async def template(self, revision: Revision) -> Template | None:
        """The revision's template, loaded; one start for all who wait. None where it must not be forked."""
        while self._template is None and self._fork_safe:
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(self._make(revision))
                self._making.add_done_callback(self._made)
            making = self._making
            try:
                await asyncio.shield(making)
            except asyncio.CancelledError:
                if not making.cancelled():
                    raise
                continue  # the function was stopped as its template loaded: who waits now needs another
            break  # one that died since then is for the caller to see
        return self._template

    async def close(self) -> None:
        """No template is left; instances go on."""
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
        if template.ready.threads > 1:
            self.note(
                f"{revision.config.function.name} starts threads as it loads, so it cannot be forked when loaded: "
                "each instance loads it anew. Start threads in the handler to have fast starts.",
                "",
            )
            self._fork_safe = False
            await template.close()
        else:
            self._template = template
        return template

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

    def _loaded(self, ready: messages.Ready) -> None:
        self.phase("sandbox", ready.sandbox_s)
        self.phase("import", ready.import_s)
        self.phase("session", ready.session_s)

    def phase(self, name: str, seconds: float) -> None:
        """A phase of a start took `seconds`: fork, sandbox, import, session, first_run, or the whole template."""
        self.phases[name] = seconds
        self._observe(name, seconds)


def program_of(revision: Revision) -> messages.Program:
    """What a child needs to know of `revision`: absolute paths of its code, wheels and finished artifacts."""
    config, spec = revision.config, revision.config.function
    chosen = {artifact.model: artifact for artifact in reversed(config.artifacts)}  # the first of each model
    return messages.Program(
        function=spec.name,
        entry=spec.entry,
        code=str(revision.folder / "code"),
        wheels=str(revision.folder / "wheels") if config.wheels else "",
        models=tuple(
            messages.ServedModel(artifact, str(revision.finished / artifact.path)) for artifact in chosen.values()
        ),
        memory_bytes=spec.memory_bytes,
        concurrency=spec.concurrency,
        box_pid=os.getpid(),
        network=spec.network,
        processes=PROCESSES * (1 + spec.scale[1]),
    )
