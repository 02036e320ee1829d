"""The reach of a confined process: the paths, devices, network and user that it gets. `layers.py` enforces it."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from edgefn_runtime.child.sandbox.identity import NOBODY
from edgefn_runtime.wire.messages import Program

SCRATCH_SHARE: Final = 4
"""The private tmp holds at most this part of the function's memory: it is memory."""
_MIN_BYTES = 2**20


class Confinement(NamedTuple):
    """The rights and bounds of a confined process. Paths are absolute, sizes in bytes.

    It may read `read` beside the system's and Python's code, write the folders `write`, and use `devices`, character
    devices below /dev. With `network` it has the host's network. `uid` is its user where the box is root, with at most
    `processes` processes and threads. Its private tmp holds `tmp_bytes`, and no file that it writes is larger than
    `file_bytes`. It ends with the process `box_pid`; 0 where that is not wanted.
    """

    name: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    network: bool = False
    uid: int = NOBODY
    processes: int = 64
    tmp_bytes: int = _MIN_BYTES
    file_bytes: int = _MIN_BYTES
    box_pid: int = 0


def confinement_of(program: Program) -> Confinement:
    """Return what a process of `program` may do: read its bundle and its finished artifacts."""
    bundle = os.path.dirname(program.code)
    tmp_bytes = max(program.memory_bytes // SCRATCH_SHARE, _MIN_BYTES)
    return Confinement(
        program.function,
        read=(bundle, *(served.folder for served in program.models)),
        devices=program.devices,
        network=program.network,
        uid=program.uid or NOBODY,
        processes=program.processes,
        tmp_bytes=tmp_bytes,
        file_bytes=tmp_bytes,
        box_pid=program.box_pid,
    )
