"""The instructions of a seccomp filter (seccomp(2)), and the numbers that filters share. Pure."""

from __future__ import annotations

import ctypes
import struct

LOAD, JUMP_EQUAL, JUMP_FROM, JUMP_ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, ERRNO, NOTIFY = 0x7FFF0000, 0x00050000, 0x7FC00000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, (16, 24, 32)
"""Where `struct seccomp_data` has the call's number, its AUDIT_ARCH, and the low half of its first arguments."""


def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one instruction; a jump skips `if_true` or `if_false` instructions."""
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(code: bytes) -> tuple[bytes, object]:
    """Return `struct sock_fprog` for the instructions `code`, and the buffer that must live as long as it."""
    buffer = ctypes.create_string_buffer(code, len(code))
    return struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer)), buffer
