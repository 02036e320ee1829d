"""The source of a revision's instances: its template, or the zygote, where there is no template or must be none.

The first instance saves the fork: with no process at all it loads by itself, and where a template is parked, the
template becomes the instance (docs/decisions/cold-start.md). A template for later instances is made after it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from edgefn.errors import InstanceLost, Unavailable
from edgefn.text.quantities import format_bytes
from edgefn_runtime.cgroups.controlgroups import FunctionGroup
from edgefn_runtime.cgroups.group_bounds import GroupBounds
from edgefn_runtime.cgroups.processors import threads_for
from edgefn_runtime.scheduling.deadlines import StartTime
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.wire import messages
from edgefn_runtime.workers.child import describe_exit
from edgefn_runtime.workers.footprint import measure
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.orphans import Orphans
from edgefn_runtime.workers.output import LogPipe, Output
from edgefn_runtime.workers.sockets import channel_pair, shared_board
from edgefn_runtime.workers.template import LOAD_DEADLINE_S, Template
from edgefn_runtime.workers.zygote import Zygote

Wanted = Callable[[], Revision]
"""What serves, asked for as a process begins: other artifacts may by then than when its start was asked for."""

START_DEADLINE_S = 10.0
_PAUSE_S = 0.02
_ROUNDS = 100
PROCESSES = 64
"""Processes and threads for each instance of a function: for its engine, its handler and programs that it starts."""

FOLLOW_S = 0.1
"""The delay from the first answer of an instance without a template to the fork of its template."""


class InstanceLauncher:
    """One per revision; it owns the revision's control group and clears away what an instance left behind.

    `output` takes what its children print, `note` the box's remarks on them, `observe` a phase of a start and its
    seconds. `uid` is the function's user.
    """

    def __init__(
        self,
        zygote: Zygote,
        output: Output,
        note: Callable[[str, str], None],
        observe: Callable[[str, float], None],
        group: FunctionGroup,
        bounds: GroupBounds,
        uid: int = 0,
    ) -> None:
        self._zygote = zygote
        self._uid = uid
        self._output = output
        self.note = note
        self.on_failing: Callable[[str], None] = lambda reason: None
        self.on_end: Callable[[], object] = lambda: None
        self._observe = observe
        self._template: Template | None = None
        self._making: asyncio.Task[Template] | None = None
        self._following: asyncio.TimerHandle | None = None
        self.fork_safe = True
        self.template_bytes: int | None = None
        self._group = group
        self.bounds = bounds
        self._bounding: asyncio.Task[None] | None = None
        self._launches = 0
        self._orphans: dict[Instance, Orphans] = {}
        self._clearing: set[asyncio.Task[None]] = set()
        self.phases: dict[str, float] = {}
        self.start_time = StartTime()

    @property
    def has_template(self) -> bool:
        return self._template is not None

    @property
    def making(self) -> bool:
        """Tell whether a template is being made."""
        return self._making is not None

    @property
    def current(self) -> Template | None:
        return self._template

    async def launch(self, instance: Instance, wanted: Wanted, *, only_start: bool) -> None:
        """Start `instance`, and wait until it is ready.

        `only_start`: no other starts beside it, so it need not wait for a template that they would share. Raises
        DeploymentRefused (it does not load) or InstanceLost (it died).
        """
        self._launches += 1
        try:
            await self._launch(instance, wanted, only_start)
        finally:
            self._launches -= 1

    async def _launch(self, instance: Instance, wanted: Wanted, only_start: bool) -> None:
        asked, parked = time.perf_counter(), self.has_template
        loads_itself = only_start and self._making is None and self._template is None
        template = None if loads_itself else await self.template(wanted)
        revision = wanted()
        started = time.perf_counter()
        instance.describe = lambda status: self._describe(revision, status)
        instance.serves = revision.served if template is None else template.serves
        instance.models = frozenset(model.spec.name for model in revision.config.models)
        ours, theirs = channel_pair()
        try:
            board, board_descriptor = shared_board()
        except BaseException:
            ours.close()
            theirs.close()
            raise
        try:
            if template is None:
                instance.standalone = True
                await self._order_standalone(revision, theirs.fileno(), board_descriptor)
            elif only_start:
                instance.adopt(template.become(theirs.fileno(), board_descriptor))
                self._template = None
            else:
                template.spawn(theirs.fileno(), board_descriptor)
        except BaseException as error:
            ours.close()
            board.release()
            if isinstance(error, OSError):
                self._template_died()
                raise InstanceLost(self._not_ordered(revision, error, template)) from error
            raise
        finally:
            theirs.close()
            os.close(board_descriptor)
        loads = template is None or not template.ready.session_s
        try:
            deadline_s = LOAD_DEADLINE_S if loads else START_DEADLINE_S
            await instance.start(ours, board, deadline_s, self._zygote.claim)
        except InstanceLost:
            if template is not None and template.stopped and template is self._template:
                self._template_died()  # it forks nothing until somebody lets it go on: the next start gets another
            raise
        first = self._zygote.namespaces.first_of(instance.pid)
        self._orphans[instance] = Orphans(instance.pid, self._is_launching, self._empty, first)
        now = time.perf_counter()
        self.start_time.add(now - asked, parked=parked)
        took = now - started
        if template is None:
            took -= self._loaded(instance.ready)
            self._judge(instance.ready, revision)
        elif loads:
            took -= instance.ready.session_s
            self.phase("session", instance.ready.session_s)
        self.phase("wake" if template is not None and instance.standalone else "fork", took)

    async def renew(self, revision: Revision) -> None:
        """Replace the template by one of `revision`, other artifacts of the same code.

        Until the new one is loaded, the old one stays in use. Raises DeploymentRefused, and the old one stays;
        Unavailable when it is stopped meanwhile.
        """
        self._follow_no_more()
        before, was_fork_safe = self._template, self.fork_safe
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        if self._bounding is not None:
            await self._bounding
        was_taken, self.template_bytes, self._bounding = self.template_bytes, None, None
        self.fork_safe = True
        making = self._begin(revision)
        try:
            await asyncio.shield(making)
        except BaseException as error:
            self.fork_safe = was_fork_safe
            self.template_bytes = was_taken if self.template_bytes is None else self.template_bytes
            if isinstance(error, asyncio.CancelledError) and making.cancelled():
                raise Unavailable(f"{revision.name} was stopped while its template was loading") from None
            raise
        if before is not None and not self.fork_safe and self._template is before:
            self._template = None
        if before is not None and before is not self._template:
            await before.close()

    def drop(self) -> None:
        """Drop the template: the artifacts that it has loaded must not serve any more."""
        self._follow_no_more()
        self.fork_safe = True
        if self._making is not None:
            self._making.cancel()
        self._template_died()

    def _follow_no_more(self) -> None:
        if self._following is not None:
            self._following.cancel()
            self._following = None

    def start_is_over(self) -> None:
        """Ask for the next spare child, because an instance has given its first answer."""
        asyncio.get_running_loop().call_soon(self._zygote.start_is_over)  # behind the answer

    def follow(self, revision: Revision) -> None:
        """Schedule a template after an instance's first answer, where there is none.

        It is made soon, when the first calls are over.
        """
        if self._template is None and self._making is None and self.fork_safe and self._following is None:
            self._following = asyncio.get_running_loop().call_later(FOLLOW_S, self._follow, revision)

    def _follow(self, revision: Revision) -> None:
        self._following = None
        if self._template is None and self._making is None:
            self._begin(revision, awaited=False)

    async def template(self, wanted: Wanted) -> Template | None:
        """Return the revision's loaded template; make it where there is none.

        All that wait for it share one start. Returns None where the template must not be forked.
        """
        while self._template is None and self.fork_safe:
            making = self._making
            if making is None or making.done():
                making = self._begin(wanted())
            try:
                await asyncio.shield(making)
            except asyncio.CancelledError:
                if not making.cancelled():
                    raise
                continue  # it was stopped, or other artifacts serve, as its template loaded: who waits needs another
            break  # one that died since then is for the caller to see
        return self._template

    def _begin(self, revision: Revision, *, awaited: bool = True) -> asyncio.Task[Template]:
        self._making = asyncio.create_task(self._make(revision, awaited))
        self._making.add_done_callback(self._made)
        return self._making

    def release(self, instance: Instance) -> None:
        """Start to clear away what the ended `instance` left behind."""
        if (orphans := self._orphans.pop(instance, None)) is not None:
            task = asyncio.create_task(orphans.clear())
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)

    async def end(self) -> None:
        """End every process of this revision and its control group, once its instances have ended."""
        self.bounds.close()
        await self.close()
        for _ in range(_ROUNDS):
            if self._group.close():
                self.on_end()
                return
            await asyncio.sleep(_PAUSE_S)
        self.note(f"control group {self._group.name} has processes that do not end", "")

    async def close(self) -> None:
        """Close the template, and clear away what ended instances left behind; other instances go on."""
        self._follow_no_more()
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        if self._bounding is not None:
            await self._bounding
        template, self._template = self._template, None
        if template is not None:
            await template.close()
        await asyncio.gather(*self._clearing)

    async def _make(self, revision: Revision, awaited: bool) -> Template:
        started = time.perf_counter()
        template = await self._load(revision, awaited)
        self._loaded(template.ready)
        self.phase("template", time.perf_counter() - started)
        self._judge(template.ready, revision)
        if self.fork_safe and asyncio.current_task() is self._making:
            self._template = template
            self._bind(revision, template.pid)
        else:  # it must not be forked, or another one is wanted by now
            await template.close()
        return template

    def _judge(self, ready: messages.Ready, revision: Revision) -> None:
        """Forbid forks of a program that has threads once it is loaded; note it once."""
        if ready.threads > 1 and self.fork_safe:
            self.fork_safe = False
            self.note(
                f"{revision.config.function.name} starts threads while it loads, so the box cannot fork it after "
                "loading: each instance loads it again. Start threads in the handler for fast starts.",
                "",
            )

    def _bind(self, revision: Revision, template_pid: int = 0) -> None:
        """Bound the group's memory in a task, once.

        That needs a template that was measured before, or one to measure now.
        """
        if self._bounding is None and (template_pid or self.template_bytes is not None):
            self._bounding = asyncio.create_task(self._bound(revision, template_pid))

    async def _bound(self, revision: Revision, pid: int) -> None:
        """Bound the memory that the function's processes may use together.

        It is what the template holds, and `memory` for each instance. The template counts twice: an instance that
        started alone has loaded the same.
        """
        if self.template_bytes is None and (found := await measure(pid)) is not None:
            self.template_bytes = found.private_bytes
        if self.template_bytes is not None:
            files = await asyncio.to_thread(_size_of, revision.finished)
            self.bounds.measured(2 * self.template_bytes, files)

    async def measured(self) -> int | None:
        """Return the bytes that the template takes beside the zygote, measured when it was loaded.

        Returns None without a template.
        """
        if self._bounding is not None:
            await self._bounding
        return self.template_bytes

    async def _load(self, revision: Revision, awaited: bool) -> Template:
        def start() -> Coroutine[None, None, Template]:
            return Template.start(
                self._zygote,
                program_of(revision, self._uid, self.bounds.load_bytes),
                self._output,
                self._template_died,
                group=self._group,
                describe=lambda status: self._describe(revision, status),
                awaited=awaited,
            )

        try:
            return await start()
        except InstanceLost:  # the zygote died with the order in hand; the next one gets it
            return await start()

    def _is_launching(self) -> bool:
        return self._launches > 0

    def _describe(self, revision: Revision, status: int) -> str:
        if status == -signal.SIGKILL and self._group.ran_out():
            allowed = format_bytes(revision.config.function.memory_bytes)
            if self.template_bytes is None:
                return "was killed (it needs more memory than the box has for functions)"
            return f"was killed (it used more than its memory={allowed} for each instance; raise `memory`)"
        return describe_exit(status)

    def _made(self, task: asyncio.Task[Template]) -> None:
        if self._making is task:
            self._making = None
        if not task.cancelled():
            task.exception()  # every waiter has had it

    def _template_died(self) -> None:
        template, self._template = self._template, None
        if template is not None:
            self._closing = asyncio.create_task(template.close())

    async def _order_standalone(self, revision: Revision, channel: int, board: int) -> None:
        """Ask the zygote to fork an instance that loads by itself."""
        self._bind(revision)
        pipe = LogPipe(self._output)
        try:
            with self._group.cgroup_fds() as cgroup_fds:
                order = messages.SpawnStandalone(program_of(revision, self._uid, self.bounds.load_bytes))
                await self._zygote.order(order, [channel, board, pipe.child_end, *cgroup_fds])
        finally:
            pipe.handed_over()

    @staticmethod
    def _not_ordered(revision: Revision, error: OSError, template: Template | None) -> str:
        name = revision.config.function.name
        if template is not None:
            return f"the template of {name} ended ({error})"
        return f"could not start an instance of {name}: {error}"

    def _empty(self) -> bool:
        """Kill what is left over in the function's group; tell whether nothing is left.

        Returns True without a look while any of its processes may run.
        """
        is_used = self._template is not None or self._making is not None or self._launches or self._orphans
        return True if is_used else self._group.empty()

    def _loaded(self, ready: messages.Ready) -> float:
        """Record the phases of a load; return the seconds that they took together."""
        self.phase("sandbox", ready.sandbox_s)
        self.phase("import", ready.import_s)
        if ready.session_s:  # else each instance loads the models itself
            self.phase("session", ready.session_s)
        return ready.sandbox_s + ready.import_s + ready.session_s

    def phase(self, name: str, seconds: float) -> None:
        """Record that a phase of a start took `seconds`.

        It is fork, wake, sandbox, import, session, first_run, or template, which is the whole template.
        """
        self.phases[name] = seconds
        self._observe(name, seconds)


def program_of(revision: Revision, uid: int, load_bytes: int = 0) -> messages.Program:
    """Return what a child needs to know of `revision`.

    That is its user and the absolute paths of its code, wheels and finished artifacts. The child may allocate
    `load_bytes` while it loads.
    """
    config, spec = revision.config, revision.config.function
    chosen = {artifact.model: artifact for artifact in reversed(config.artifacts)}  # the first of each model
    threads = threads_for(spec)
    entries = {entry.spec.name: entry for entry in config.models}
    return messages.Program(
        function=spec.name,
        entry=spec.entry,
        code=str(revision.folder / "code"),
        wheels=str(revision.folder / "wheels") if config.wheels else "",
        models=tuple(
            messages.ServedModel(
                artifact,
                str(revision.finished / artifact.path),
                entries[artifact.model].batching,
                entries[artifact.model].spec,
            )
            for artifact in chosen.values()
        ),
        memory_bytes=spec.memory_bytes,
        concurrency=spec.concurrency,
        box_pid=os.getpid(),
        network=spec.network,
        processes=processes_of(revision),
        threads=threads,
        devices=spec.devices,
        uid=uid,
        load_bytes=load_bytes,
    )


def processes_of(revision: Revision) -> int:
    """Return the processes and threads that a revision may have at a time, its template's among them."""
    spec = revision.config.function
    return processes_each(revision) * (1 + spec.scale[1])


def processes_each(revision: Revision) -> int:
    """Return the processes and threads that each instance of a revision may have."""
    return PROCESSES + threads_for(revision.config.function)


def _size_of(folder: Path) -> int:
    """Return the bytes of the files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
