"""seccomp (seccomp(2)): system calls that a function never needs fail with EPERM, as a BPF program written here.

A deny list, for what Landlock and namespaces do not cover: other processes' memory, mounts and namespaces, the
kernel's modules, keys and clocks, io_uring (whose work no filter sees). Sockets go by a list of what is allowed:
family, type and protocol. Pairs of streams, whose peer is fixed; with the network, TCP and UDP. None of AF_UNIX, as a
socket file such as Docker's would be reached: no Landlock of today covers connecting to one. Calls of another
architecture fail all. `Gaps` closes what other layers leave open on this machine.
"""

from __future__ import annotations

import errno
import functools
import platform
import socket
from typing import Final, NamedTuple

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
from edgefn_runtime.child.sandbox.reaper import MARKED_BY

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_X32_BIT = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_SOCKET_TYPE = 0xF
_NETLINK_ROUTE = 0


class Gaps(NamedTuple):
    """What the other layers leave open, so that system calls must close it: where functions run as the box's user."""

    attributes: bool = False
    """Modes, owners, times and attributes of the user's files can be changed: no Landlock covers that."""
    truncation: bool = False
    """Files can be cut short: Landlock covers it from ABI 3 on."""
    processes: bool = False
    """The user's other processes can be signalled and slowed down: Landlock covers signals from ABI 6 on."""
    mark: bool = False
    """A process could remove the mark by which a reaper recognises the box's processes."""


NO_GAPS: Final = Gaps()


class Architecture(NamedTuple):
    """A machine's numbers: its AUDIT_ARCH, the calls whose arguments are looked at, and the calls denied."""

    architecture: int
    clone: int
    socket: int
    socketpair: int
    prlimit: int
    ioctl: int
    fcntl: int
    kill: int
    setrlimit: int
    opens: tuple[tuple[int, int], ...]
    """open and openat, each with the place of its flags among the arguments."""
    truncate: int
    signals: tuple[int, ...]
    """All but kill."""
    others: tuple[tuple[int, int], ...]
    """Calls upon a process, each with the place of its pid."""
    attributes: tuple[int, ...]
    denied: tuple[int, ...]


_DENIED_EVERYWHERE = (
    *(425, 426, 427),  # io_uring_setup, _enter, _register
    *(428, 429, 430, 431, 432, 433, 442),  # open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
    *(438, 440, 443, 448, 467),  # pidfd_getfd, process_madvise, quotactl_fd, process_mrelease, open_tree_attr
)
_ATTRIBUTES_EVERYWHERE = (452, 463, 466, 469)  # fchmodat2, setxattrat, removexattrat, file_setattr
_CLONE3, _OPENAT2, _PIDFD_SEND_SIGNAL = 435, 437, 424
_O_TRUNC, _ACCESS_OR_TRUNC = 0o1000, 0o1003
_OWNERS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: a signal to anybody when a file is ready
_SOCKET_OWNERS = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP
_FILE_FLAGS = (0x40086602, 0x40046602, 0x401C5820)  # FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR

MACHINES = {
    "x86_64": Architecture(
        0xC000003E,
        clone=56,
        socket=41,
        socketpair=53,
        prlimit=302,
        ioctl=16,
        fcntl=72,
        kill=62,
        setrlimit=160,
        opens=((2, 1), (257, 2)),
        truncate=76,
        signals=(200, 234, 129, 297, _PIDFD_SEND_SIGNAL),  # tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
        others=(
            *((141, 1), (251, 1)),  # setpriority, ioprio_set
            *((203, 0), (144, 0), (142, 0), (314, 0)),  # sched_setaffinity, _setscheduler, _setparam, _setattr
            *((256, 0), (279, 0)),  # migrate_pages, move_pages
        ),
        attributes=(
            *_ATTRIBUTES_EVERYWHERE,
            *(90, 91, 268, 92, 93, 94, 260),  # chmod, fchmod, fchmodat, chown, fchown, lchown, fchownat
            *(132, 235, 261, 280),  # utime, utimes, futimesat, utimensat
            *(188, 189, 190, 197, 198, 199),  # setxattr, l-, f-, removexattr, l-, f-
        ),
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
    "aarch64": Architecture(
        0xC00000B7,
        clone=220,
        socket=198,
        socketpair=199,
        prlimit=261,
        ioctl=29,
        fcntl=25,
        kill=129,
        setrlimit=164,
        opens=((56, 2),),
        truncate=45,
        signals=(130, 131, 138, 240, _PIDFD_SEND_SIGNAL),  # tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
        others=(
            *((140, 1), (30, 1)),  # setpriority, ioprio_set
            *((122, 0), (119, 0), (118, 0), (274, 0)),  # sched_setaffinity, _setscheduler, _setparam, _setattr
            *((238, 0), (239, 0)),  # migrate_pages, move_pages
        ),
        attributes=(
            *_ATTRIBUTES_EVERYWHERE,
            *(52, 53, 55, 54, 88),  # fchmod, fchmodat, fchown, fchownat, utimensat
            *(5, 6, 7, 14, 15, 16),  # setxattr, l-, f-, removexattr, l-, f-
        ),
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


def restrict(*, network: bool, gaps: Gaps = NO_GAPS) -> None:
    """Deny the forbidden calls from now on, for good and for all forks.

    Raises OSError without seccomp in the kernel. Needs no-new-privileges to be set.
    """
    code = prepared(network=network, gaps=gaps)
    fprog, kept = program(code)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, fprog)
    del kept


def warm_up(*, network: bool, gaps: Gaps = NO_GAPS) -> None:
    """Make the program of `restrict`, and drop it."""
    program(prepared(network=network, gaps=gaps))


@functools.cache
def prepared(*, network: bool, gaps: Gaps = NO_GAPS) -> bytes:
    """Return the program for this machine, made once.

    Raises OSError for a machine whose call numbers are not known here.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no list of system calls for {platform.machine()}", "seccomp")
    return filter_of(machine, network=network, gaps=gaps)


def filter_of(machine: Architecture, *, network: bool, gaps: Gaps = NO_GAPS) -> bytes:
    """Return the BPF program.

    The kernel caches the result of its first checks, so an allowed call costs no run of it. A call that is checked for
    several reasons is denied by any of them.
    """
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
    closed, looked_at = _closing(machine, gaps)
    for number in (*machine.denied, *closed):
        steps += [step(JUMP_EQUAL, number, 0, 1), _deny(errno.EPERM)]
    looked_at = {
        machine.clone: _denying(0, _NEW_NAMESPACES, how=JUMP_ANY_BIT),
        machine.socketpair: _only_streams(),
        machine.socket: _internet() if network else [_deny(errno.EPERM)],
        machine.prlimit: _own_process(0),
    } | looked_at
    for number, looks in looked_at.items():
        steps += [step(JUMP_EQUAL, number, 0, len(looks)), *looks]
    return b"".join([*steps, step(RETURN, ALLOW)])


def _closing(machine: Architecture, gaps: Gaps) -> tuple[list[int], dict[int, list[bytes]]]:
    """Return the calls to deny for `gaps`, and the calls whose arguments must be checked."""
    closed: list[int] = []
    looked_at: dict[int, list[bytes]] = {}
    commands: list[int] = []
    if gaps.attributes:
        closed += machine.attributes
        commands += _FILE_FLAGS
    if gaps.truncation:
        closed += (machine.truncate, _OPENAT2)
        looked_at |= {number: _no_cutting(place) for number, place in machine.opens}
    if gaps.processes:
        closed += machine.signals
        commands += _SOCKET_OWNERS
        looked_at |= {number: _own_process(place) for number, place in machine.others}
        looked_at |= {machine.kill: _own_process(0), machine.fcntl: _denying(1, *_OWNERS)}
    if gaps.mark:
        looked_at |= {machine.setrlimit: _denying(0, MARKED_BY)}
        looked_at |= {machine.prlimit: [*_own_process(0)[:-1], *_denying(1, MARKED_BY)]}
    if commands:
        looked_at[machine.ioctl] = _denying(1, *commands)
    return closed, looked_at


def _denying(place: int, *values: int, how: int = JUMP_EQUAL) -> list[bytes]:
    """Deny a call whose argument at `place` is one of `values`."""
    tests = [step(how, value, len(values) - number, 0) for number, value in enumerate(values)]
    return [step(LOAD, ARGUMENTS[place]), *tests, step(RETURN, ALLOW), _deny(errno.EPERM)]


def _own_process(place: int) -> list[bytes]:
    """Allow a call upon process 0, which is the caller itself, or its group."""
    return [step(LOAD, ARGUMENTS[place]), step(JUMP_EQUAL, 0, 1, 0), _deny(errno.EPERM), step(RETURN, ALLOW)]


def _no_cutting(place: int) -> list[bytes]:
    """Deny opening a file for reading with O_TRUNC, which empties it.

    Landlock takes that for reading.
    """
    return [
        step(LOAD, ARGUMENTS[place]),
        step(AND, _ACCESS_OR_TRUNC),
        step(JUMP_EQUAL, _O_TRUNC, 0, 1),
        _deny(errno.EPERM),
        step(RETURN, ALLOW),
    ]


def _only_streams() -> list[bytes]:
    """Allow pairs of Unix streams, whose peer is fixed.

    One of a pair of datagram sockets, and so a raw one, too, could be pointed at any socket file.
    """
    return [
        step(LOAD, ARGUMENTS[0]),
        step(JUMP_EQUAL, socket.AF_UNIX, 0, 3),
        step(LOAD, ARGUMENTS[1]),
        step(AND, _SOCKET_TYPE),
        step(JUMP_EQUAL, socket.SOCK_STREAM, 1, 0),
        _deny(errno.EPERM),
        step(RETURN, ALLOW),
    ]


def _internet() -> list[bytes]:
    """Allow TCP and UDP over IPv4 and IPv6, and netlink's routes for getaddrinfo; deny all else."""
    transports = ((socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP))
    allowed = [
        (family, kind, protocol)
        for family in (socket.AF_INET, socket.AF_INET6)
        for kind, number in transports
        for protocol in (0, number)
    ]
    allowed += [(socket.AF_NETLINK, kind, _NETLINK_ROUTE) for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM)]
    steps: list[bytes] = []
    for family, kind, protocol in allowed:
        steps += [
            step(LOAD, ARGUMENTS[0]),
            step(JUMP_EQUAL, family, 0, 6),
            step(LOAD, ARGUMENTS[1]),
            step(AND, _SOCKET_TYPE),
            step(JUMP_EQUAL, kind, 0, 3),
            step(LOAD, ARGUMENTS[2]),
            step(JUMP_EQUAL, protocol, 0, 1),
            step(RETURN, ALLOW),
        ]
    return [*steps, _deny(errno.EPERM)]


def _deny(error: int) -> bytes:
    return step(RETURN, ERRNO | error)
