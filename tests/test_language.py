"""`.ci/language`: which strings are messages, and what they may not say."""

from __future__ import annotations

import ast
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "language"

SOURCE = '''"""A docstring that tells of a module."""

LIMIT = 3
"""Whoever reads it."""


def check(name: str) -> None:
    """Raise ValueError that tells `name`."""
    raise ValueError(f"the box of {name!r} is full: " "try again" + " later")


KEY = "anew"
'''


@pytest.fixture(name="language")
def _language() -> Any:
    """The script as a module."""
    loader = SourceFileLoader("language", str(SCRIPT))
    spec = spec_from_loader("language", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_messages_are_the_strings_that_are_no_docstrings(language: Any) -> None:
    """Each once, whole, with `{}` for what it formats; a word alone is a key."""
    assert list(language.messages(ast.parse(SOURCE))) == [
        (9, "the box of {} is full: try again"),
        (9, " later"),
    ]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("nothing was done, for you did not say yes", True),
        ("that an artifact of {} is broken cannot be kept: {}", True),
        ("the answers of {} are read as it loads", True),
        ("{} is no function's name", True),
        ("{} is no longer deployed", False),
        ("there is no {} on this box", False),
        ("could not store the broken-artifact mark of {}: {}", False),
    ],
)
def test_phrases_without_a_good_use_are_refused(language: Any, text: str, refused: bool) -> None:
    """And their plain forms are not."""
    assert (language.PHRASES.search(text) is not None) is refused
