"""docs/options.md has each option of the decorators, with its default as it is, and none that is not there."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgefn import Accuracy, Dim, Quantize, edge_model
from edgefn.errors import (
    EdgefnError,
    Forbidden,
    FunctionNotFound,
    HandlerError,
    HandlerTimeout,
    InputError,
    InstanceLost,
    NotAcceptable,
    RetryLater,
    Unauthorized,
)
from edgefn.images.options import picture
from edgefn.options import FunctionOptions, read_options
from edgefn.spec import FunctionSpec

PAGE = (Path(__file__).parents[2] / "docs" / "options.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `@?(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
IN_WORDS = {"name": "the function's own", "threads": "chosen by `optimize`"}


def _rows(section: str) -> dict[str, str]:
    """Return each option's default as it stands in the table."""
    table = SECTIONS[section]
    found = dict(re.findall(r"^\| `(\w+)` \| (.+?) \| .+? \|$", table, re.MULTILINE))
    assert len(found) == sum(line.startswith("| ") for line in table.splitlines()) - 2, "a row has another form"
    return found


def _value(cell: str) -> Any:
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return ast.literal_eval(cell[1:-1])


def test_each_option_of_a_function_has_its_default() -> None:
    """An option with the default of the page is a spec as without it."""
    rows = _rows("edge_function")
    assert set(rows) == set(FunctionOptions.__annotations__)
    bare = FunctionSpec(name="f", entry="f:f")
    for option, cell in rows.items():
        if option in IN_WORDS:
            assert cell == IN_WORDS[option]
            continue
        written = FunctionSpec(name="f", entry="f:f", **read_options({option: _value(cell)}))
        assert written == bare, option


@pytest.mark.parametrize(("section", "made_by"), [("edge_model", edge_model), ("Dim", Dim), ("picture", picture)])
def test_each_parameter_has_its_default(section: str, made_by: Callable[..., Any]) -> None:
    """By the signature; what has no default is required."""
    rows = _rows("tensor" if section == "Dim" else section)
    parameters = {
        name: one for name, one in inspect.signature(made_by).parameters.items() if one.kind is not one.VAR_POSITIONAL
    }
    assert list(rows) == list(parameters)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty:
            assert rows[name] == "required"
        else:
            assert _value(rows[name]) == parameter.default, name


@pytest.mark.parametrize("struct", [Accuracy, Quantize], ids=["Accuracy", "Quantize"])
def test_each_field_has_its_default(struct: type[msgspec.Struct]) -> None:
    """By the struct's own defaults."""
    rows, bare = _rows(struct.__name__), struct()
    assert set(rows) == set(struct.__struct_fields__)
    for name, cell in rows.items():
        assert _value(cell) == getattr(bare, name), name


def test_each_status_that_a_call_may_get_is_in_the_handlers_guide() -> None:
    """By the errors of a call: what the gateway, the pool and an instance raise."""
    guide = (Path(__file__).parents[2] / "docs" / "handlers.md").read_text(encoding="utf-8")
    table = guide.partition("## Errors")[2].partition("\n## ")[0]
    told = {int(status) for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for status in cell.split(", ")}
    roots = (InputError, NotAcceptable, RetryLater, HandlerError, HandlerTimeout, InstanceLost)
    classes: set[type[EdgefnError]] = {FunctionNotFound, Unauthorized, Forbidden, *roots}
    for root in roots:
        classes |= set(_below(root))
    assert told == {cls.status for cls in classes}


def _below(root: type[EdgefnError]) -> Iterator[type[EdgefnError]]:
    for cls in root.__subclasses__():
        if cls.__module__ == "edgefn.errors":
            yield cls
            yield from _below(cls)
