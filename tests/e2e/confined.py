"""Runs a program under the limits of a systemd unit, as far as a process can put them on itself: no manager is needed.

    python -m tests.e2e.confined UNIT PROGRAM [ARGUMENT]...

Reads the unit file: capabilities, umask, no-new-privileges, /proc/sys and /sys read-only, namespaces, address families
and system calls. What is left out is what only a manager can do: control groups, devices, IP addresses.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EQUAL, _GREATER, _MASKED = 4, 6, 7
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_NAMESPACES = {
    "mnt": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
_LAST_FAMILY = 45

_libc = ctypes.CDLL(None, use_errno=True)


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class Filter:
    """A seccomp filter by libseccomp, which systemd uses too: `default`, and rules beside it."""

    def __init__(self, default: int) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._lib.seccomp_init(ctypes.c_uint32(default)))

    def add(self, action: int, call: str, *conditions: tuple[int, int, int, int]) -> None:
        """`call`, where this kernel's machine has it, meets `action` if (argument, comparison, a, b) holds."""
        number = self._lib.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return
        array = (_Comparison * max(1, len(conditions)))(*(_Comparison(*one) for one in conditions))
        code = self._lib.seccomp_rule_add_array(self._context, ctypes.c_uint32(action), number, len(conditions), array)
        assert code == 0, (call, code)

    def load(self) -> None:
        """This process and its children are under it."""
        assert self._lib.seccomp_load(self._context) == 0, os.strerror(ctypes.get_errno())


def settings(unit: Path) -> dict[str, list[str]]:
    """The words of each setting of the unit; those of one that stands several times, together."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).extend(match[2].split())
    return found


def system_calls(words: Iterable[str]) -> set[str]:
    """The names that SystemCallFilter's `words` allow, groups spelled out, with those that systemd always allows."""
    return {name for word in ["@default", "execve", *words] for name in _spelled_out(word)}


def _spelled_out(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    command = ["systemd-analyze", "syscall-filter", word]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    inside = [line.strip() for line in listed.splitlines()[1:]]
    return {name for line in inside if line and not line.startswith("#") for name in _spelled_out(line)}


def confine(unit: dict[str, list[str]]) -> None:
    """Put the unit's limits on this process, for good."""
    calls = system_calls(unit["SystemCallFilter"])
    if "ProtectKernelTunables" in unit:
        _close_tunables()
    os.umask(int(unit["UMask"][0], 8))
    kept = {_number(name) for name in unit["CapabilityBoundingSet"]}
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        if capability not in kept:
            assert _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
    if unit["NoNewPrivileges"] == ["yes"]:
        assert _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    _restrict_namespaces(set(unit["RestrictNamespaces"]))
    _restrict_families({_FAMILIES[name] for name in unit["RestrictAddressFamilies"]})
    allowed = Filter(_ERRNO | errno.EPERM)
    for call in sorted(calls):
        allowed.add(_ALLOW, call)
    allowed.load()


def _number(capability: str) -> int:
    listed = subprocess.run(["systemd-analyze", "capability", capability], check=True, capture_output=True, text=True)
    found = re.search(rf"^{capability.lower()}\s+(\d+)$", listed.stdout, re.MULTILINE)
    assert found, listed.stdout
    return int(found[1])


def _close_tunables() -> None:
    """As ProtectKernelTunables and ProtectKernelLogs do, in mounts of our own."""
    script = (
        "mount --make-rprivate / && for folder in /proc/sys /proc/irq /proc/bus; do "
        "mount --bind $folder $folder && mount -o remount,bind,ro $folder; done && mount --bind /dev/null /proc/kmsg"
    )
    assert _libc.unshare(_NAMESPACES["mnt"]) == 0
    subprocess.run(["sh", "-c", script], check=True)


def _restrict_namespaces(kept: set[str]) -> None:
    """As seccomp_restrict_namespaces of systemd: clone3, whose flags cannot be seen, is not there at all."""
    found = Filter(_ALLOW)
    found.add(_ERRNO | errno.ENOSYS, "clone3")
    for name, flag in _NAMESPACES.items():
        if name not in kept:
            for call, argument in (("clone", 0), ("unshare", 0), ("setns", 1)):
                found.add(_ERRNO | errno.EPERM, call, (argument, _MASKED, flag, flag))
    found.add(_ERRNO | errno.EPERM, "setns", (1, _EQUAL, 0, 0))
    found.load()


def _restrict_families(kept: set[int]) -> None:
    found = Filter(_ALLOW)
    for family in set(range(_LAST_FAMILY + 1)) - kept:
        found.add(_ERRNO | errno.EAFNOSUPPORT, "socket", (0, _EQUAL, family, 0))
    found.add(_ERRNO | errno.EAFNOSUPPORT, "socket", (0, _GREATER, _LAST_FAMILY, 0))
    found.load()


if __name__ == "__main__":
    confine(settings(Path(sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])
