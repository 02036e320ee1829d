"""A box whose handler tries everything to get out, run as a program: `breakout.py FOLDER USER LACKING [stay]`.

USER is root, plain, or subids: a plain user with users of its own to give. LACKING is of "landlock" and "namespaces",
with + between, which a filter takes from this process as from a kernel that has none. Prints one JSON object: what the
box says that it enforces, and how each try ended. With "stay" the handler leaves a program behind, and the box waits to
be killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import Any

from tests.runtime import kernel, plainuser

DAEMON_S = f"{os.getpid()}.25"
"""So long does a handler's program sleep; nobody else's does."""
DAEMON = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "{DAEMON_S}"])
    os._exit(0)
"""
HANDLER = """
import ctypes, errno, os, socket
from edgefn import edge_function

libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result

@edge_function
def f(code: str) -> str:
    names = {"call": call, "os": os, "socket": socket, "libc": libc, "ctypes": ctypes}
    try:
        exec(code, names)
        return str(names.get("found", "done"))
    except OSError as error:
        return errno.errorcode[error.errno]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


def main(folder: Path, user: str, lacking: list[str]) -> None:
    """Run all tries and print what came of them."""
    victims = Victims(folder, 0 if user == "root" else plainuser.PLAIN)
    if user != "root":
        plainuser.open_python()
    if user == "subids":
        plainuser.give_users(folder)
    kernel.take_away(lacking)
    if user != "root":
        plainuser.become()
    os.environ["PYTHONPATH"] = f"{victims.code}:{os.environ.get('PYTHONPATH', '')}"
    print(json.dumps(asyncio.run(_run(folder, victims))), flush=True)


class Victims:
    """What lies beside the function: made before anything is taken away."""

    def __init__(self, folder: Path, owner: int) -> None:
        folder.chmod(0o755)
        self.home = folder / "home"
        self.home.mkdir(mode=0o755)
        self.token = self._file(self.home / "token", 0o644)
        self.code = folder / "lib"
        self.code.mkdir()
        self._file(self.code / "module.py", 0o644)
        self.key = self._file(self.code / "key.txt", 0o600)
        self.link = self.home / "link"
        self.link.symlink_to("/a/secret/place")
        self.name = f"edgefn-breakout-{os.getpid()}"
        self.datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.datagrams.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.name}")
        self.abstract.listen()
        self.server = socket.create_server(("127.0.0.1", 0))
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)

    @staticmethod
    def _file(path: Path, mode: int) -> Path:
        path.write_text("secret = 1\n")
        path.chmod(mode)
        return path

    def harmed(self) -> str:
        """What of the victims has changed; "" when nothing has."""
        found = self.token.stat()
        if stat.S_IMODE(found.st_mode) != 0o644 or found.st_size != 11 or found.st_mtime < 1e9:
            return f"the token: {found}"
        return "the token's attributes" if os.listxattr(self.token) else ""


def tries(victims: Victims, box: int) -> dict[str, str]:
    """By name, what the handler runs; it says "done", or what it found, where it got out."""
    token, home = str(victims.token), str(victims.home)
    address = victims.server.getsockname()
    sending = "socket.socketpair(type={})[0].sendto(b'x', {!r})"
    here = str(victims.home.parent / "socket")
    mine = f"import inspect; own = {str(victims.home.parent / 'revision-1' / 'code' / 'f1.py')!r}; "
    return {
        "reads a file": f"found = open({token!r}).read()",
        "reads a key beside code": f"found = open({str(victims.key)!r}).read()",
        "reads shadow": "open('/etc/shadow').read()",
        "lists private keys": "os.listdir('/etc/ssl/private')",
        "stats a file": f"found = os.stat({token!r}).st_size",
        "reads a link": f"found = os.readlink({str(victims.link)!r})",
        "lists a folder": f"os.listdir({home!r})",
        "watches a folder": f"call('inotify_add_watch', call('inotify_init'), {home.encode()!r}, 0xfff)",
        "reads a command line": f"found = open('/proc/{box}/cmdline').read()",
        "reads an environment": f"found = open('/proc/{box}/environ').read()",
        "sees a process": f"os.stat('/proc/{box}')",
        "sees a socket": f"assert {victims.name!r} in open('/proc/net/unix').read()",
        "writes a file": f"open({token!r}, 'a')",
        "cuts a file": f"os.truncate({token!r}, 0)",
        "cuts a file by opening": f"os.close(os.open({token!r}, os.O_RDONLY | os.O_TRUNC))",
        "changes a mode": f"os.chmod({token!r}, 0o777)",
        "changes an owner": f"os.chown({token!r}, os.getuid(), os.getgid())",
        "changes a time": f"os.utime({token!r}, (1, 1))",
        "changes an attribute": f"os.setxattr({token!r}, 'user.x', b'x')",
        "changes its own code": f"{mine}os.chmod(own, 0o777)",
        "cuts its own code": f"{mine}os.close(os.open(own, os.O_RDONLY | os.O_TRUNC))",
        "signals the box": f"os.kill({box}, 0)",
        "signals the box by a file": f"""
import fcntl, signal
reader, writer = os.pipe()
for command, value in ((8, {box}), (10, signal.SIGUSR2), (fcntl.F_SETFL, os.O_ASYNC)):
    fcntl.fcntl(reader, command, value)
os.write(writer, b"x")
raise OSError(1, "whether it came, the box knows")
""",
        "limits the box": f"call('prlimit', {box}, 7, (ctypes.c_ulong * 2)(8, 8), None)",
        "slows the box": f"os.setpriority(os.PRIO_PROCESS, {box}, 19)",
        "traces the box": f"call('ptrace', 16, {box}, 0, 0)",
        "reads the box's memory": f"call('process_vm_readv', {box}, None, 0, None, 0, 0)",
        "takes a descriptor": f"call('syscall', 438, call('syscall', 434, {box}, 0), 0, 0)",
        "connects by TCP": f"socket.create_connection({address!r}, 5)",
        "sends by UDP": f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', {address!r})",
        "sends to a socket file": sending.format("socket.SOCK_DGRAM", here),
        "sends raw to a socket file": sending.format("socket.SOCK_RAW", here),
        "connects to a name": f"socket.socket(socket.AF_UNIX).connect({chr(0) + victims.name!r})",
        "opens a device": "os.open('/dev/kmsg', os.O_RDONLY)",
        "mounts": "call('mount', b'none', b'/dev/shm', b'tmpfs', 0, None)",
        "makes a namespace": "call('unshare', 0x10000000)",
        "has a capability": "line = next(x for x in open('/proc/self/status') if x.startswith('CapEff'))\n"
        "if not int(line.split()[1], 16): raise OSError(1, 'none')",
    }


async def _run(folder: Path, victims: Victims) -> dict[str, Any]:
    from tests.runtime.pool.bench import Bench

    before = resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, 0)
    signals: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, _: signals.append(number))
    bench = Bench(folder, places=[])
    bench.supervisor.start()
    try:
        await bench.deploy(HANDLER)
        if "stay" in sys.argv[4:]:
            await _stay(bench)
        user = await bench.ask(code="found = os.getuid()")
        ended = {name: await bench.ask(code=code) for name, code in tries(victims, os.getpid()).items()}
    finally:
        await bench.supervisor.stop()
    after = resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, 0)
    harm = victims.harmed() or ("" if before == after else "the box's limits") or ("a signal" if signals else "")
    lines = bench.logs.lines
    return {"isolation": bench.supervisor.isolation, "user": user, "ended": ended, "harm": harm, "lines": lines}


async def _stay(bench: Any) -> None:
    """Say what a handler has started and left alone, then wait for the end."""
    daemon = (
        "if os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  os.execvp('sleep', ['sleep', {!r}])\n os._exit(0)"
    )
    await bench.ask(code=daemon.format(DAEMON_S))
    print(json.dumps(bench.supervisor.isolation), flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3].split("+") if len(sys.argv) > 3 and sys.argv[3] else [])
