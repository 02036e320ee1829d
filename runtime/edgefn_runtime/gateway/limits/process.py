"""Settings of the box's process for many clients: its kernel limits and its C library, once, before clients come."""

from __future__ import annotations

import ctypes
import resource

from edgefn_runtime.gateway.limits.bodies import default_bytes

LARGEST_KEPT_BYTES = 1 << 20
_M_MMAP_THRESHOLD = -3

PLAIN_BYTES, TLS_BYTES = 1 << 14, 1 << 16
"""What a connection is reckoned to take of the box's memory: measured 6 and 50 kB, and its request's state."""
MIN_CONNECTIONS = 2048

MAX_DESCRIPTORS = 1 << 20
"""Enough for any box; some containers have a hard limit of a billion."""


def connections(*, tls: bool = False) -> int:
    """Return how many connections the process may hold.

    Three quarters of its descriptors, within SHARE of the memory. The other descriptors are the box's own: instances,
    logs, the database. So no crowd of clients keeps a function from starting, and idle ones do not fill the memory
    where a service manager lets a process have a million files.
    """
    fit = max(MIN_CONNECTIONS, default_bytes() // (TLS_BYTES if tls else PLAIN_BYTES))
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4, fit)


def return_large_memory() -> None:
    """Give blocks of LARGEST_KEPT_BYTES and more back to the machine when they are freed (mallopt(3)).

    Left to itself, malloc raises that to 32 MiB with the first large body that is freed, and keeps the next.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; another C library may have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)


def raise_descriptor_limit() -> None:
    """Let the process open as many files as its hard limit allows: a login shell's soft limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
