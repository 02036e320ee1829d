"""The record beside an artifact of PyTorch: the torch that made it, what it needs, the names of inputs and outputs.

Never imports torch: an artifact for another version is refused before it is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edgefn import extras
from edgefn.backends import small_files
from edgefn.errors import BundleError
from edgefn.targets import facts
from edgefn.targets.probe import Probe

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.spec import ModelSpec

FILE = "record.json"


class PyTorchRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`torch` is a public version, without "+cpu"; `features` are flags of /proc/cpuinfo that the code uses.

    `library_bytes` is the size of a compiled library; 0 where there is none. A truncated one would end the process.
    """

    torch: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    features: tuple[str, ...] = ()
    library_bytes: int = 0


def installed() -> str:
    """Return the version of the installed torch without its local part, or "" without one."""
    return facts.installed("torch", "torch").partition("+")[0]


def probe() -> Probe:
    """Tell whether torch is installed; read its metadata, never import it."""
    found = installed()
    return Probe(True, found, f"torch {found}, CPU") if found else Probe(False, fix=extras.hint("torch"))


def write(folder: Path, spec: ModelSpec, features: tuple[str, ...] = (), library_bytes: int = 0) -> None:
    """Write the record of an artifact that this torch made into `folder`."""
    record = PyTorchRecord(installed(), tuple(spec.inputs), tuple(spec.outputs), features, library_bytes)
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record)))


def read(folder: Path) -> PyTorchRecord:
    """Read the record in `folder`.

    Raise BundleError when it is missing, damaged, or names another torch than the installed one.
    """
    record = small_files.read(folder, FILE, PyTorchRecord, "torch")
    here = installed()
    if here != record.torch:
        raise BundleError(
            f"the artifact in {folder} needs torch {record.torch}, but this machine has "
            f"{f'torch {here}' if here else 'no torch'}: pip install torch=={record.torch}"
        )
    return record
