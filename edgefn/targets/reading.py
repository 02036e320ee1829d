"""Reads and checks a profile's file; an invalid entry is an error with file, line, key and nearest key.

A profile with a missing or misspelt entry would make a target that no box satisfies, or one that a box without the
hardware takes. So every word of the file must be a known one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from edgefn.targets.features import FEATURES
from edgefn.targets.profile import PRECISIONS, Accelerator, Power, Processor, Profile, ProfileMemory, Runtime
from edgefn.text.suggestion import did_you_mean
from edgefn.text.tables import TableFile

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_NUMBER = r"\d{1,9}"
_RELEASE = rf"{_NUMBER}(\.{_NUMBER})*"
_PRE = rf"((a|b|rc){_NUMBER})?(\.post{_NUMBER})?(\.dev{_NUMBER})?"
_CLAUSE = (
    rf"((==|!=) *{_RELEASE}(\.\*|{_PRE})|(<=|>=|<|>) *{_RELEASE}{_PRE}|~= *{_NUMBER}\.{_RELEASE}{_PRE})"  # PEP 440
)
VERSIONS = re.compile(rf"({_CLAUSE}( *, *{_CLAUSE})*)?", re.ASCII)
"""Specifiers that a profile may give: those of PEP 440 without epochs and local versions. Read by this, and not by
`packaging`, which a machine that only asks `edgefn targets` need not import."""
_KEYS = tuple(field.encode_name for field in msgspec.structs.fields(Profile))


def read(path: Path) -> Profile:
    """Read the profile in the file. Raise SpecError with the file, the key and the nearest key."""
    file = TableFile(path)
    if not _NAME.fullmatch(path.stem):
        file.refuse(f"{path.stem!r} is not a profile name: use lower-case letters, digits, '.', '_' and '-'", "")
    file.check_keys(_KEYS)
    profile = Profile(
        description=_text(file, "description"),
        runtimes=_runtimes(file),
        cpu=file.table("cpu", file.data.get("cpu", {}), Processor),
        accelerator=file.table("accelerator", file.data["accelerator"], Accelerator)
        if "accelerator" in file.data
        else None,
        memory=file.table("memory", file.data.get("memory", {}), ProfileMemory),
        tops=_figures(file, "tops"),
        power=file.table("power", file.data.get("power", {}), Power),
        sources=_sources(file),
    )
    _check_processor(file, profile)
    _check_accelerator(file, profile)
    _check_figures(file, profile)
    return profile


def _text(file: TableFile, key: str) -> str:
    value = file.data.get(key)
    if not isinstance(value, str) or not value.strip():
        file.refuse(f"'{key}' is {'missing' if value is None else repr(value)}: write one line of text", key)
    return value


def _runtimes(file: TableFile) -> tuple[Runtime, ...]:
    tables = file.data.get("runtimes")
    if not isinstance(tables, list) or not tables:
        file.refuse("[[runtimes]] is missing: write one for each inference stack", "runtimes")
    found = tuple(file.table(_runtime(at), table, Runtime) for at, table in enumerate(tables))
    for at, runtime in enumerate(found):
        _check_runtime(file, _runtime(at), runtime)
        taken = {(one.backend, precision) for one in found[:at] for precision in one.precisions}
        for precision in runtime.precisions:
            if (runtime.backend, precision) in taken:
                file.refuse(f"{precision} of {runtime.backend} is in two [[runtimes]]", _runtime(at), "precisions")
    return found


def _runtime(at: int) -> str:
    return f"runtimes[{at}]"


def _check_runtime(file: TableFile, table: str, runtime: Runtime) -> None:
    if not _NAME.fullmatch(runtime.backend):
        file.refuse(f"'backend' is {runtime.backend!r}: write a backend's name, e.g. onnxruntime", table, "backend")
    if not runtime.precisions or len(set(runtime.precisions)) < len(runtime.precisions):
        file.refuse("'precisions' is empty or names one twice", table, "precisions")
    _known(file, table, "precisions", runtime.precisions, PRECISIONS)
    if not VERSIONS.fullmatch(runtime.versions):
        file.refuse(f"'versions' is {runtime.versions!r}: write a specifier, e.g. \">=2025, <2026\"", table, "versions")
    if runtime.versions and not runtime.library:
        file.refuse("'versions' needs 'library', the library that they belong to", table, "versions")
    if runtime.opset and not (len(runtime.opset) == 2 and 1 <= runtime.opset[0] <= runtime.opset[1]):
        file.refuse(f"'opset' is {list(runtime.opset)}: write [lowest, highest]", table, "opset")


def _check_processor(file: TableFile, profile: Profile) -> None:
    cpu = profile.cpu
    if cpu.arch:
        _known(file, "cpu", "arch", [cpu.arch], FEATURES)
        _known(file, "cpu", "features", cpu.features, FEATURES[cpu.arch])
        for at, runtime in enumerate(profile.runtimes):
            _known(file, _runtime(at), "features", runtime.features, FEATURES[cpu.arch])
    elif cpu.features or any(runtime.features for runtime in profile.runtimes):
        file.refuse("'features' needs 'arch', the architecture that they belong to", "cpu", "features")


def _check_accelerator(file: TableFile, profile: Profile) -> None:
    device = profile.accelerator.device if profile.accelerator else ""
    if device and not re.fullmatch(r"/dev(/[\w:-][\w:.-]*)+", device):
        file.refuse(f"'device' is {device!r}: write the node that the driver creates, /dev/…", "accelerator", "device")


def _figures(file: TableFile, table: str) -> dict[str, float]:
    found: Any = file.data.get(table, {})
    if not isinstance(found, dict):
        file.refuse(f"[{table}] is {found!r}: write a table, one figure for each precision", table)
    _known(file, table, "", found, PRECISIONS)
    for key, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            file.refuse(f"{key!r} in [{table}] is {value!r}: write a number", table, key)
    return {key: float(value) for key, value in found.items()}


def _sources(file: TableFile) -> dict[str, str]:
    found: Any = file.data.get("sources", {})
    if not isinstance(found, dict):
        file.refuse(f"[sources] is {found!r}: write a table", "sources")
    for key, value in found.items():
        if not isinstance(value, str) or not value.strip():
            file.refuse(f'{key!r} in [sources] is {value!r}: write "{key}.…" = "the source"', "sources", key)
    return dict(found)


def _check_figures(file: TableFile, profile: Profile) -> None:
    """Raise SpecError unless each figure is above zero and has a source, its own or its table's.

    Each source must also belong to an entry of the file.
    """
    written = msgspec.to_builtins(profile)
    figures = {
        f"{table}.{key}": value
        for table in ("memory", "tops", "power")
        for key, value in written[table].items()
        if key in file.data.get(table, {})
    }
    known = {*figures, *_places(file.data), *(f"runtimes.{one.backend}" for one in profile.runtimes)}
    _known(file, "sources", "", profile.sources, known)
    for key, value in figures.items():
        table, _, member = key.partition(".")
        if not value > 0 or value == float("inf"):
            file.refuse(f"{key!r} is {value}: leave it out if it is not known", table, member)
        if key not in profile.sources and table not in profile.sources:
            file.refuse(f'{key!r} has no source: add "{key}" = "the source" to [sources]', table, member)


def _places(tables: dict[str, Any]) -> set[str]:
    """Return the dotted keys of the file's entries and of its tables, without runtimes."""
    found = {key for key in tables if key not in ("sources", "runtimes")}
    return found | {f"{key}.{inner}" for key in found if isinstance(tables[key], dict) for inner in tables[key]}


def _known(file: TableFile, table: str, key: str, words: Iterable[str], known: Iterable[str]) -> None:
    """Raise SpecError when one of `words` is not in `known`.

    `words` are the values of `key`, or the keys of the table.
    """
    choices = set(known)
    for word in words:
        if word not in choices:
            where = f"'{key}' of [{table}]" if key else f"[{table}]"
            file.refuse(f"{word!r} in {where} is not known{did_you_mean(word, choices)}", table, key or word)
