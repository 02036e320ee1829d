"""A handler that tries to get out: every way that the box closes, tried from inside a real instance."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn_runtime.workers.launcher import PROCESSES
from tests.runtime import devices
from tests.runtime.pool.bench import Bench, OnBench, alive, pid_inside

ANYTHING = """
import errno
@edge_function
def f(code: str) -> str:
    names = {}
    try:
        exec(code, names)
        return str(names.get("found", "done"))
    except OSError as error:
        return errno.errorcode[error.errno]
"""

OUT = ("EACCES", "EPERM", "ENOENT", "EROFS", "ESRCH")
"""How a system call says that something is out of reach."""

NATIVE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
"""


def needs(bench: Bench, *layers: str) -> None:
    """Skips where this machine does not enforce them all."""
    for layer in layers:
        if bench.supervisor.isolation[layer] is not True:
            pytest.skip(f"{layer}: {bench.supervisor.isolation[layer]}")


def test_what_the_machine_enforces_is_known(on_bench: OnBench) -> None:
    """Once the zygote is ready each layer is True or says why not."""

    async def test(bench: Bench) -> None:
        await bench.until(lambda: bench.supervisor.ready, "the zygote is ready")
        assert {"files", "tcp", "signals", "system_calls", "namespaces", "tmp"} <= set(bench.supervisor.isolation)
        assert all(found is True or isinstance(found, str) for found in bench.supervisor.isolation.values())

    on_bench(test)


def test_files_beyond_its_own_bundle_are_out_of_reach(on_bench: OnBench) -> None:
    """Another function's bundle, the token, /etc/shadow, other processes' memory; nothing outside tmp is written."""

    async def test(bench: Bench) -> None:
        other, token = bench.folder / "revision-2" / "code" / "secret.py", bench.folder / "token"
        other.parent.mkdir(parents=True)
        for path in (other, token):
            path.write_text("secret")
        revision = await bench.deploy(ANYTHING)
        needs(bench, "files", "own_root")
        own = revision.folder / "code"
        assert "edge_function" in await bench.ask(code=f"found = open({str(own / 'f1.py')!r}).read()")
        for path in (other, token, Path("/etc/shadow"), Path(f"/proc/{os.getpid()}/environ")):
            assert await bench.ask(code=f"open({str(path)!r}).read()") in OUT, path
        assert await bench.ask(code=f"import os; found = os.listdir({str(bench.folder)!r})") == "['revision-1']"
        for path in (own / "new.py", own / "f1.py", Path("/var/tmp/edgefn-escape"), Path("/etc/edgefn-escape")):
            if not str(path).startswith("/var/tmp/"):
                assert await bench.ask(code=f"open({str(path)!r}, 'a')") in OUT, path
            else:  # its own
                assert await bench.ask(code=f"open({str(path)!r}, 'a')") == "done"
                assert not path.exists()
        assert await bench.ask(code=f"open('/proc/{os.getpid()}/mem', 'r+b')") in OUT

    on_bench(test)


def test_a_bundle_for_its_owner_alone_is_opened_to_its_function(on_bench: OnBench) -> None:
    """As a strict umask leaves it: its files are read by the function's user, and no link in it opens anything else."""

    async def test(bench: Bench) -> None:
        revision = bench.revision(ANYTHING)
        victim = bench.folder / "victim"
        victim.write_text("secret")
        (revision.folder / "link").symlink_to(victim)
        for path in (victim, revision.folder / "code" / "f1.py"):
            path.chmod(0o600)
        for folder in (revision.folder / "code", revision.folder):
            folder.chmod(0o700)
        await bench.supervisor.prepare(revision)
        await bench.supervisor.switch("f", revision)
        needs(bench, "own_root", "own_user")
        assert "edge_function" in await bench.ask(
            code=f"found = open({str(revision.folder / 'code' / 'f1.py')!r}).read()"
        )
        assert stat.S_IMODE(victim.stat().st_mode) == 0o600
        assert stat.S_IMODE(bench.folder.stat().st_mode) == 0o700, "the home around it stays closed"

    on_bench(test)


def test_no_network_unless_asked_for(on_bench: OnBench, tmp_path: Path) -> None:
    """TCP, UDP, abstract and file sockets are closed; network=True opens the first two alone."""

    async def test(bench: Bench) -> None:
        path, name = f"/tmp/edgefn-{os.getpid()}.sock", f"\0edgefn-{os.getpid()}"
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as file:
            file.bind(path)
            file.listen()
            tries = {
                "tcp": f"import socket; socket.create_connection({server.getsockname()!r}, 5)",
                "udp": "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))",
                "file": f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})",
                "abstract": f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})",
                "datagrams": "import socket; socket.socketpair(type=socket.SOCK_DGRAM)",
                "packets": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
            }
            try:
                await bench.deploy(ANYTHING)
                needs(bench, "system_calls")
                assert {way: await bench.ask(code=code) for way, code in tries.items()} == dict.fromkeys(tries, "EPERM")
                await bench.deploy(ANYTHING, number=2, network=True)
                found = {way: await bench.ask(code=code) for way, code in tries.items()}
                assert found == dict.fromkeys(tries, "EPERM") | {"tcp": "done", "udp": "done"}
                lookup = f"import socket; found = socket.getaddrinfo('localhost', {server.getsockname()[1]})[0][4][0]"
                assert await bench.ask(code=lookup) in ("127.0.0.1", "::1")
            finally:
                os.unlink(path)

    on_bench(test)


def test_other_processes_are_out_of_reach(on_bench: OnBench) -> None:
    """The box, the zygote, the template and a sibling cannot be signalled, traced, read or have descriptors taken."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, scale=(2, 2))
        await bench.until(lambda: len(bench.supervisor.pool("f").instances) == 2 and all(bench.pids()), "two instances")
        needs(bench, "signals", "system_calls", "files")
        template = await bench.template()
        inside = {pid_inside(pid) for pid in (template, *bench.pids())}
        for pid in (os.getpid(), bench.zygote(), template, *bench.pids(), 1, *inside):
            asked = f"import os\nif os.getpid() != {pid}: "
            assert await bench.ask(code=f"{asked}os.kill({pid}, 0)") in (*OUT, "done"), pid
            assert await bench.ask(code=f"{NATIVE}call('ptrace', 16, {pid}, 0, 0)") == "EPERM"
            assert await bench.ask(code=f"{NATIVE}call('process_vm_readv', {pid}, None, 0, None, 0, 0)") == "EPERM"
            assert await bench.ask(code=f"{asked}open('/proc/{pid}/environ').read()") in (*OUT, "done")
        for pid in (os.getpid(), bench.zygote(), template, 1):
            assert await bench.ask(code=f"import os; os.kill({pid}, 9)") in (*OUT, "done")
            assert await bench.ask(code=f"open('/proc/{pid}/environ').read()") in OUT
        assert alive(bench.zygote())
        assert alive(template)

    on_bench(test)


@pytest.mark.parametrize(
    "call",
    [
        "'unshare', 0x10000000",
        "'mount', b'none', b'/dev/shm', b'tmpfs', 0, None",
        "'chroot', b'/usr'",
        "'syscall', 425, 8, 0",
        "'setns', 0, 0",
        "'reboot', 0",
    ],
)
def test_the_kernels_doors_are_closed(on_bench: OnBench, call: str) -> None:
    """Namespaces, mounts, io_uring, restart: EPERM, as root too."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING)
        needs(bench, "system_calls")
        assert await bench.ask(code=f"{NATIVE}call({call})") == "EPERM"

    on_bench(test)


@pytest.fixture
def device() -> Iterator[str]:
    """Make a node for a group that nobody is in; it is opened and takes ioctls."""
    with devices.node(f"/dev/edgefn-{os.getpid()}", 0o660, group=64_999) as path:
        yield path


def test_a_device_is_closed_unless_it_is_asked_for(on_bench: OnBench, device: str) -> None:
    """devices=[...] opens that node for reading, writing and ioctl, though it is for one group; no other."""
    use = f"""
import os, fcntl
fd = os.open({device!r}, os.O_RDWR | os.O_NONBLOCK)
try:
    fcntl.ioctl(fd, 0x80045200, bytes(4))
finally:
    os.close(fd)
"""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING)
        needs(bench, "files", "own_user")
        assert await bench.ask(code=use) in OUT
        await bench.deploy(ANYTHING, number=2, devices=(device,))
        assert await bench.ask(code=use) == "done"
        assert await bench.ask(code="open('/dev/tty', 'rb')") in OUT
        assert await bench.ask(code="open('/dev/mem', 'rb')") in ("EACCES", "EPERM", "ENOENT")

    on_bench(test)


def test_a_full_tmp_is_the_functions_own_trouble(on_bench: OnBench) -> None:
    """The private tmp ends at a quarter of `memory`; nothing of it is on the machine's disk."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, memory_bytes=64 * 2**20)
        needs(bench, "tmp")
        fill = "import tempfile\nfile = tempfile.NamedTemporaryFile()\nfor _ in range({}): file.write(bytes(2**20))"
        assert await bench.ask(code=fill.format(8)) == "done"
        assert await bench.ask(code=fill.format(64)) in ("EFBIG", "ENOSPC")
        assert await bench.ask(code=fill.format(8)) == "done"

    on_bench(test)


def test_a_fork_bomb_stops_at_the_functions_own_share(on_bench: OnBench) -> None:
    """It runs into its bound long before the machine's, and what it started dies with its instance."""
    bomb = """
        import os, signal
        count = 0
        @edge_function
        def f(bomb: bool) -> int:
            global count
            try:
                while bomb:
                    if os.fork() == 0:
                        signal.pause()
                    count += 1
            except BlockingIOError:
                pass
            return count
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(bomb, scale=(0, 1))
        await bench.until(lambda: bench.supervisor.ready, "the zygote is ready")
        needs(bench, "own_user")
        assert 0 < await bench.ask(bomb=True) <= 2 * (PROCESSES + 1)
        await bench.supervisor.stop_function("f")
        assert await bench.ask(bomb=False) == 0

    on_bench(test)


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; found = subprocess.run(['uname'], capture_output=True, text=True).stdout.strip()",
        "from concurrent.futures import ThreadPoolExecutor as T; found = T(2).submit(lambda: 'Linux').result()",
        "import asyncio; found = asyncio.run(asyncio.sleep(0, 'Linux'))",
        "import os, zoneinfo, ssl, platform; os.urandom(8); ssl.create_default_context(); found = platform.system()",
        "import pathlib, multiprocessing.pool as p; pathlib.Path.home().joinpath('x').write_text('y'); found = 'Linux'",
        "import multiprocessing as m; found = m.get_context('fork').Pool(1).apply(str, ('Linux',))",
        "import os, sys\nended = os.spawnl(os.P_WAIT, sys.executable, 'python', '-c', 'pass')\n"
        "found = f'it ended with {ended}' if ended else 'Linux'",
    ],
    ids=["subprocess", "threads", "asyncio", "system", "home", "multiprocessing", "spawn"],
)
def test_what_handlers_do_every_day_works(on_bench: OnBench, code: str) -> None:
    """Programs, threads, event loops, certificates, caches below HOME, pools of processes."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, memory_bytes=2**28)
        assert await bench.ask(code=code) == "Linux"

    on_bench(test)


def test_the_cost_of_the_sandbox_is_a_phase(on_bench: OnBench) -> None:
    """It is measured with every template; far below any bound that would hide a regression of tens of ms."""

    async def test(bench: Bench) -> None:
        started = time.perf_counter()
        await bench.deploy(ANYTHING)
        assert 0 < bench.figures.phases["sandbox"] < time.perf_counter() - started

    on_bench(test)
