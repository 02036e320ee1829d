"""TOML tables turned into structs, with messages that name file, line and nearest key. Never guesses a value."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from edgefn.errors import SpecError
from edgefn.text.suggestion import did_you_mean

Table = TypeVar("Table", bound=msgspec.Struct)

_HEADER = re.compile(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}\s*(#.*)?$")
_NUMBERED = re.compile(r"(.+)\[(\d+)\]")
_UNKNOWN = re.compile(r"unknown field `(.+)`")
_MISSING = re.compile(r"missing required field `(.+)`")
_AT = re.compile(r"(?P<problem>.*) - at `\$\.(?P<key>\w+)")


class TableFile:
    """A TOML file, read; `data` is its content. Raises SpecError where it is not TOML or cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._text = path.read_text("utf-8")
            self.data = tomllib.loads(self._text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SpecError(f"cannot read {path}: {error}") from None

    def table(self, name: str, data: object, type: type[Table]) -> Table:
        """Convert `data`, the content of table [name], to `type`. Raise SpecError with the wrong key.

        The name of one in an array of tables is "name[0]", "name[1]", …
        """
        try:
            return msgspec.convert(data, type, strict=True)
        except msgspec.ValidationError as error:
            self._explain(name, str(error), [field.encode_name for field in msgspec.structs.fields(type)])

    def tables(self, name: str, data: object, type: type[Table]) -> dict[str, Table]:
        """Convert `data`, the content of the tables [name.KEY], each to `type`."""
        if not isinstance(data, dict):
            self.refuse(f"[{name}] is {data!r}: write a table [{name}.NAME] for each", name)
        return {key: self.table(f"{name}.{key}", value, type) for key, value in data.items()}

    def check_keys(self, known: tuple[str, ...]) -> None:
        """Raise SpecError for a table at the top that is none of `known`."""
        for name, value in self.data.items():
            if name not in known:
                shown = f"[{name}]" if isinstance(value, dict | list) else repr(name)
                self.refuse(f"{shown} is unknown{did_you_mean(name, known)}", name)

    def refuse(self, problem: str, table: str, key: str = "") -> NoReturn:
        """Raise SpecError with `problem`, the file, and the line of `table` or of its `key`."""
        line = self._line(table, key)
        raise SpecError(f"{self.path}{f':{line}' if line else ''}: {problem}")

    def _explain(self, table: str, error: str, known: list[str]) -> NoReturn:
        numbered = _NUMBERED.fullmatch(table)
        shown = f"[[{numbered[1]}]]" if numbered else f"[{table}]"
        if unknown := _UNKNOWN.search(error):
            self.refuse(f"{unknown[1]!r} is unknown in {shown}{did_you_mean(unknown[1], known)}", table, unknown[1])
        if missing := _MISSING.search(error):
            self.refuse(f"{missing[1]!r} is missing in {shown}: add it", table)
        at = _AT.match(error)
        key, problem = (at["key"], at["problem"]) if at else ("", error)
        self.refuse(f"{key!r} in {shown}: {problem}" if key else f"{shown}: {problem}", table, key)

    def _line(self, table: str, key: str) -> int:
        """Find the line of the table's `key`, else of the table's header, else 0.

        Inline tables are not searched.
        """
        here, header, seen = "", 0, dict[str, int]()
        for number, line in enumerate(self._text.splitlines(), 1):
            if match := _HEADER.match(line):
                here = match[2].replace('"', "").replace(" ", "")
                if match[1] == "[[":
                    seen[here] = seen.get(here, -1) + 1
                    here = f"{here}[{seen[here]}]"
                header = number if here == table else header
            elif here == table and key and re.match(rf"\s*\"?{re.escape(key)}\"?\s*[=.]", line):
                return number
            elif not here and re.match(rf"\s*{re.escape(table)}\s*[=.]", line):
                header = number
        return header
