"""What a model file is, by its bytes: its suffix may say anything.

Reads names in archives and the opcodes of pickles. Never unpickles, never runs what a file holds.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from edgefn.errors import BuildError

Kind = Literal["torchscript", "program", "onnx"]

_HEAD = 16
_OTHERS = {
    b"\x89HDF": "a Keras or HDF5 file",
    b"GGUF": "a GGUF file",
    b"PK\x03\x04": "an archive that is cut off",
    b"<?xml": "an OpenVINO network",
    b"version https://git-lfs": "a Git LFS pointer (`git lfs pull` fetches the file itself)",
}
_KINDS = "TorchScript (torch.jit.save), a program (torch.export.save) or ONNX"
_CONTAINERS = {"collections", "torch._utils", "torch", "torch.storage", "torch.nn.parameter", "numpy", "builtins"}


def kind_of(path: Path, model: str) -> Kind:
    """Return the kind of the file, by its bytes.

    Raises BuildError for another kind: the error names it, and what to write instead.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD * 4)
    if zipfile.is_zipfile(path):
        return _archive(path, model)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise _pickle(path, _classes(path.read_bytes()), model)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32:
        raise _weights(path, "safetensors", f"load_file({path.name!r})", model)
    if head[4:8] == b"TFL3":
        raise _refused(path, "a TensorFlow Lite network", model)
    if found := next((what for start, what in _OTHERS.items() if head.startswith(start)), ""):
        raise _refused(path, found, model)
    if not head or not head.strip(b"\0"):
        raise _refused(path, "empty" if not path.stat().st_size else "zeros", model)
    return "onnx"  # protobuf has no magic: who reads it says whether it is one


def _archive(path: Path, model: str) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] or name for name in archive.namelist()]
            if "constants.pkl" in names or any(name.startswith("code/") for name in names):
                return "torchscript"
            if "serialized_exported_program.json" in names or any(_is_program(name) for name in names):
                return "program"
            if any(name.startswith("data/aotinductor") for name in names):
                raise _refused(path, "a package of compiled code, without its program", model)
            if "data.pkl" not in names:
                raise _refused(path, "an archive of another kind", model)
            pickled = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise _refused(path, f"a damaged archive ({error})", model) from error
    raise _pickle(path, _classes(pickled), model)


def _is_program(name: str) -> bool:
    return name.startswith("models/") and name.endswith(".json")


def _classes(data: bytes) -> list[str]:
    """List the names of everything that a pickle would import, "module.name", in order.

    The list ends where the pickle is damaged.
    """
    found: list[str] = []
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                found.append(str(argument).replace(" ", ".", 1))
            elif opcode.name == "STACK_GLOBAL":
                found.append(".".join(strings[-2:]))
            elif isinstance(argument, str):
                strings.append(argument)
    except Exception:  # pickletools raises what a damaged pickle makes it run into
        return found
    return found


def _pickle(path: Path, classes: Iterable[str], model: str) -> BuildError:
    own = [name for name in classes if name.rpartition(".")[0] not in _CONTAINERS]
    if not own:
        return _weights(path, "a state_dict", f"torch.load({path.name!r}, weights_only=True)", model)
    return BuildError(
        f"model {model}: {path.name} is a pickled object of {own[0]}, which runs code when it is read and needs its "
        "class: build the network in the builder and load its state_dict, or save it with torch.jit.save or "
        "torch.export.save"
    )


def _weights(path: Path, what: str, load: str, model: str) -> BuildError:
    return BuildError(
        f"model {model}: {path.name} holds weights without their network ({what}): build the network in the builder, "
        f"network.load_state_dict({load}), and return it"
    )


def _refused(path: Path, what: str, model: str) -> BuildError:
    return BuildError(f"model {model}: {path.name} is {what}; a builder may return the path of {_KINDS}")
