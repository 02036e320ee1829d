"""The record beside a model of MNN: names and dtypes. MNN's own file has only the names.

MNN computes in float32 and int32: int64 and bool go in and come out as int32. Never imports MNN.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn.backends import small_files
from edgefn.spec import ModelSpec

FILE = "record.json"

DTYPES = {"float32": "float32", "int32": "int32", "int64": "int32", "bool": "int32"}
"""What MNN computes with, by a model's dtype. Of uint8 it takes inputs and crashes; float64 it makes float32 of."""


class MnnRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dtypes of a model's inputs and outputs by name, in the model's order."""

    inputs: dict[str, str]
    outputs: dict[str, str]


def of(model: ModelSpec, *counts: str) -> MnnRecord:
    """Return the record of a captured model, and of outputs of its file that are `counts`."""
    return MnnRecord(
        {name: tensor.dtype for name, tensor in model.inputs.items()},
        {name: tensor.dtype for name, tensor in model.outputs.items()} | dict.fromkeys(counts, "int32"),
    )


def write(record: MnnRecord, folder: Path) -> None:
    """Write the record into `folder`."""
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record)))


def read(folder: Path) -> MnnRecord:
    """Read the record in `folder`. Raise BundleError when it is missing or damaged."""
    return small_files.read(folder, FILE, MnnRecord, "MNN")
