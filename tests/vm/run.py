"""`make test-vm`: tests of the box in an emulated Debian 12, with systemd as process 1 and our unit.

    python tests/vm/run.py FOLDER

FOLDER has what .ci/vm-image made. Everything that the machine says is shown as it comes; 0 when its tests passed.
"""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LIMIT_S = 1800.0
_RESULT = re.compile(r"edgefn-vm: code (\d+)")


def command(folder: Path, tpm: int) -> list[str]:
    """Full emulation, which runs everywhere and some ten times slower than the machine itself."""
    return [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3072"),
        *("-nographic", "-no-reboot", "-nic", "none"),
        *("-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd.img")),
        *("-append", "root=/dev/vda rw console=ttyS0 quiet no_timer_check"),
        *("-drive", f"file={folder / 'disk.img'},if=virtio,format=raw"),
        *("-chardev", f"socket,id=tpm,fd={tpm}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"),
        *("-device", "tpm-crb,tpmdev=tpm0"),
    ]


@contextlib.contextmanager
def new_tpm() -> Iterator[int]:
    """Run a TPM 2.0 that no machine has used yet; yield the descriptor by which one reaches it."""
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryDirectory(prefix="edgefn-tpm-") as state:
        with theirs:
            control = f"type=unixio,clientfd={theirs.fileno()}"
            program = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", control]
            tpm = subprocess.Popen(program, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        with tpm:
            try:
                yield ours.fileno()
            finally:
                tpm.kill()


def main(folder: Path) -> int:
    """Run the machine until it powers itself off, and return its tests' exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the machine goes with it
    began, code = time.monotonic(), 1
    with (
        new_tpm() as tpm,
        subprocess.Popen(
            command(folder, tpm),
            pass_fds=[tpm],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as vm,
    ):
        assert vm.stdout is not None
        try:
            for line in vm.stdout:
                print(line, end="", flush=True)
                if found := _RESULT.search(line):
                    code = int(found[1])
                if time.monotonic() - began > LIMIT_S:
                    print(f"the machine is not through after {LIMIT_S:.0f} s")
                    return 1
        finally:
            vm.kill()
    print(f"{time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
