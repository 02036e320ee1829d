"""seccomp (seccomp(2)): system calls that a function never needs fail with EPERM, as a BPF program written here.

A deny list, for what Landlock and namespaces do not cover: other processes' memory, mounts and namespaces, the
kernel's modules, keys and clocks, io_uring (whose work no filter sees), and sockets. Sockets come from `socketpair`
alone unless a function has the network; even then none of AF_UNIX, because a socket file such as Docker's would
be reached: no Landlock of today covers connecting to one. Calls of another architecture fail all.
"""

from __future__ import annotations

import errno
import functools
import platform
import socket
from typing import NamedTuple

from edgefn.system.bpf import (
    ALLOW,
    AND,
    ARCHITECTURE,
    ARGUMENTS,
    ERRNO,
    JUMP_ANY_BIT,
    JUMP_EQUAL,
    JUMP_FROM,
    LOAD,
    NUMBER,
    RETURN,
    program,
    step,
)
from edgefn.system.syscalls import prctl

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_X32_BIT = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_SOCKET_TYPE = 0xF
_NETLINK_ROUTE = 0


class Machine(NamedTuple):
    """A machine's numbers: its AUDIT_ARCH, the calls whose arguments are looked at, and the calls denied."""

    architecture: int
    clone: int
    socket: int
    socketpair: int
    denied: tuple[int, ...]


_DENIED_EVERYWHERE = (
    *(425, 426, 427),  # io_uring_setup, _enter, _register
    *(428, 429, 430, 431, 432, 433, 442),  # open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
    *(438, 440, 443),  # pidfd_getfd, process_madvise, quotactl_fd
)
_CLONE3 = 435

MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        clone=56,
        socket=41,
        socketpair=53,
        denied=(
            *_DENIED_EVERYWHERE,
            *(101, 310, 311, 312),  # ptrace, process_vm_readv, process_vm_writev, kcmp
            *(165, 166, 155, 161, 272, 308),  # mount, umount2, pivot_root, chroot, unshare, setns
            *(321, 298, 323, 300),  # bpf, perf_event_open, userfaultfd, fanotify_init
            *(246, 320, 175, 313, 176),  # kexec_load, kexec_file_load, init_module, finit_module, delete_module
            *(250, 248, 249),  # keyctl, add_key, request_key
            *(303, 304),  # name_to_handle_at, open_by_handle_at
            *(169, 167, 168, 163, 179, 153, 103),  # reboot, swapon, swapoff, acct, quotactl, vhangup, syslog
            *(164, 227, 305, 170, 171),  # settimeofday, clock_settime, clock_adjtime, sethostname, setdomainname
            *(172, 173, 154),  # iopl, ioperm, modify_ldt
        ),
    ),
    "aarch64": Machine(
        0xC00000B7,
        clone=220,
        socket=198,
        socketpair=199,
        denied=(
            *_DENIED_EVERYWHERE,
            *(117, 270, 271, 272),  # ptrace, process_vm_readv, process_vm_writev, kcmp
            *(40, 39, 41, 51, 97, 268),  # mount, umount2, pivot_root, chroot, unshare, setns
            *(280, 241, 282, 262),  # bpf, perf_event_open, userfaultfd, fanotify_init
            *(104, 294, 105, 273, 106),  # kexec_load, kexec_file_load, init_module, finit_module, delete_module
            *(219, 217, 218),  # keyctl, add_key, request_key
            *(264, 265),  # name_to_handle_at, open_by_handle_at
            *(142, 224, 225, 89, 60, 58, 116),  # reboot, swapon, swapoff, acct, quotactl, vhangup, syslog
            *(170, 112, 266, 161, 162),  # settimeofday, clock_settime, clock_adjtime, sethostname, setdomainname
        ),
    ),
}


def restrict(*, network: bool) -> None:
    """From here on the denied calls fail; for good, and for all forks. Raises OSError where the kernel has no seccomp.

    Needs no-new-privileges to be set.
    """
    code = prepared(network=network)
    fprog, kept = program(code)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, fprog)
    del kept


@functools.cache
def prepared(*, network: bool) -> bytes:
    """The program for this machine, made once. Raises OSError for a machine whose numbers are not known here."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no list of system calls for {platform.machine()}", "seccomp")
    return filter_of(machine, network=network)


def filter_of(machine: Machine, *, network: bool) -> bytes:
    """The BPF program: what it looks at first is what the kernel caches, so an allowed call costs no run of it."""
    steps = [
        step(LOAD, ARCHITECTURE),
        step(JUMP_EQUAL, machine.architecture, 1, 0),
        _deny(errno.EPERM),
        step(LOAD, NUMBER),
        step(JUMP_FROM, _X32_BIT, 0, 1),
        _deny(errno.EPERM),
        # glibc falls back to clone, whose flags can be seen: those of clone3 lie in memory
        step(JUMP_EQUAL, _CLONE3, 0, 1),
        _deny(errno.ENOSYS),
    ]
    for number in machine.denied:
        steps += [step(JUMP_EQUAL, number, 0, 1), _deny(errno.EPERM)]
    for number, looks in (
        (machine.clone, _no_new_namespace()),
        (machine.socketpair, _no_datagrams()),
        (machine.socket, _internet() if network else [_deny(errno.EPERM)]),
    ):
        steps += [step(JUMP_EQUAL, number, 0, len(looks)), *looks]
    return b"".join([*steps, step(RETURN, ALLOW)])


def _no_new_namespace() -> list[bytes]:
    return [
        step(LOAD, ARGUMENTS[0]),
        step(JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        _deny(errno.EPERM),
        step(RETURN, ALLOW),
    ]


def _no_datagrams() -> list[bytes]:
    """One of a pair of datagram sockets could be pointed at any socket file; a stream's peer is fixed."""
    return [
        step(LOAD, ARGUMENTS[1]),
        step(AND, _SOCKET_TYPE),
        step(JUMP_EQUAL, socket.SOCK_DGRAM, 0, 1),
        _deny(errno.EPERM),
        step(RETURN, ALLOW),
    ]


def _internet() -> list[bytes]:
    """IPv4, IPv6, and netlink's routes, which getaddrinfo asks for."""
    return [
        step(LOAD, ARGUMENTS[0]),
        step(JUMP_EQUAL, socket.AF_INET, 5, 0),
        step(JUMP_EQUAL, socket.AF_INET6, 4, 0),
        step(JUMP_EQUAL, socket.AF_NETLINK, 0, 2),
        step(LOAD, ARGUMENTS[2]),
        step(JUMP_EQUAL, _NETLINK_ROUTE, 1, 0),
        _deny(errno.EPERM),
        step(RETURN, ALLOW),
    ]


def _deny(error: int) -> bytes:
    return step(RETURN, ERRNO | error)
