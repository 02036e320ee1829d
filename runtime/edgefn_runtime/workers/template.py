"""A revision's template, from the box's side: started by the zygote, asked for instances, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edgefn.errors import EdgefnError, InstanceLost
from edgefn_runtime.calls.artifact_errors import blames, refused
from edgefn_runtime.cgroups.controlgroups import FunctionGroup
from edgefn_runtime.wire import messages
from edgefn_runtime.workers.child import Child, describe_exit
from edgefn_runtime.workers.output import LogPipe, Output
from edgefn_runtime.workers.sockets import ControlEnd, control_pair
from edgefn_runtime.workers.zygote import Zygote

LOAD_DEADLINE_S = 60.0
_REPORTS = 2
"""What a template has to say beside a word for each model: that it is born, and that it is ready or has failed."""


class Template:
    """A loaded process that forks instances. Made by `start`; `on_end` is called when it dies unasked."""

    def __init__(
        self, program: messages.Program, on_end: Callable[[], None], describe: Callable[[int], str] = describe_exit
    ) -> None:
        self._program = program
        self._describe = describe
        self._on_end = on_end
        self._loaded: asyncio.Future[messages.Ready] = asyncio.get_running_loop().create_future()
        self._control: ControlEnd | None = None
        self._child: Child | None = None
        self._closing = False
        self._binding = ""

    @classmethod
    async def start(
        cls,
        zygote: Zygote,
        program: messages.Program,
        output: Output,
        on_end: Callable[[], None],
        *,
        group: FunctionGroup,
        describe: Callable[[int], str],
        awaited: bool = True,
    ) -> Template:
        """Start a template and return it when it has loaded `program`.

        `awaited`: a call waits for it. Raises DeploymentRefused, with the trace, when it does not load.
        """
        template = cls(program, on_end, describe)
        try:
            await template._start(zygote, output, group, awaited)
        except BaseException:
            await template.close()
            raise
        return template

    async def _start(self, zygote: Zygote, output: Output, group: FunctionGroup, awaited: bool) -> None:
        ours, theirs = control_pair()
        pipe = LogPipe(output)
        reports = _REPORTS + len(self._program.models)
        self._control = ControlEnd(ours, self._reported, self._lost, reports)
        self._claim = zygote.claim
        try:
            with group.cgroup_fds() as cgroup_fds:
                order = messages.SpawnTemplate(self._program, awaited)
                await zygote.order(order, [theirs.fileno(), pipe.child_end, *cgroup_fds])
        finally:
            theirs.close()
            pipe.handed_over()
        name = self._program.function
        try:
            await asyncio.wait_for(asyncio.shield(self._loaded), LOAD_DEADLINE_S)
        except TimeoutError:
            raise refused(
                f"{name} did not load within {LOAD_DEADLINE_S:.0f} s; do the slow work in the handler or at build",
                self._binding,
                "",
            ) from None

    @property
    def serves(self) -> tuple[str, ...]:
        """Return the artifacts that it has loaded, by path."""
        return tuple(model.artifact.path for model in self._program.models)

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    @property
    def stopped(self) -> bool:
        """Tell whether the process is stopped, by SIGSTOP or a debugger."""
        return self._child is not None and self._child.stopped

    @property
    def ready(self) -> messages.Ready:
        """Return the report that it sent when it had loaded."""
        return self._loaded.result()

    def spawn(self, channel: int, board: int) -> None:
        """Ask for an instance on these descriptors, and pass no other: the template runs user code already.

        Raises OSError when the template is gone.
        """
        assert self._control is not None
        self._control.order(messages.SpawnInstance(), [channel, board])

    def become(self, channel: int, board: int) -> Child:
        """Make the template an instance that serves on these descriptors; return its process.

        Raises OSError when it is gone.
        """
        assert self._control is not None
        assert self._child is not None
        self._control.order(messages.Serve(), [channel, board])
        self._closing = True
        self._control.close()
        child, self._child = self._child, None
        return child

    async def close(self) -> None:
        """End the template; its instances go on."""
        self._closing = True
        if self._control is not None:
            self._control.close()
        if self._child is not None:
            await self._child.end()
        if self._loaded.done() and not self._loaded.cancelled():
            self._loaded.exception()  # looked at: asyncio need not warn of it
        self._loaded.cancel()

    def _reported(self, report: messages.Report, pid: int) -> None:
        match report:
            case messages.Hello():
                if pid and self._child is None:
                    self._child = self._claim(pid)
            case messages.Binding(artifact) if artifact in self.serves:
                self._binding = artifact
            case messages.Ready() if not self._loaded.done():
                self._loaded.set_result(report)
            case messages.Failed() if not self._loaded.done():
                text = f"{self._program.function} cannot be loaded: {report.reason}"
                artifact = report.artifact if report.artifact in self.serves else ""
                self._loaded.set_exception(refused(text, artifact, report.trace))
            case _:
                pass

    def _lost(self) -> None:
        if self._closing:
            return
        if self._loaded.done():
            self._on_end()
        else:
            self._dying = asyncio.create_task(self._died_loading())

    async def _died_loading(self) -> None:
        name = self._program.function
        error: EdgefnError = InstanceLost(f"the zygote ended before it made the template of {name}")
        if self._child is not None:
            status = await self._child.end()
            text = f"{name} {self._describe(status)} while it was loaded; see `edgefn logs {name}`"
            error = refused(text, self._binding if blames(self._binding, status) else "", "")
        if not self._loaded.done():
            self._loaded.set_exception(error)
