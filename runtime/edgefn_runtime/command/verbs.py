"""`edgefn-box token | info | files`: the command line of the verbs. It owns no more than their words."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edgefn.api import routes
from edgefn.api.tokens import TokenRequest
from edgefn.errors import EdgefnError, Unauthorized
from edgefn_runtime.command import VERBS, owner, shipped, texts
from edgefn_runtime.configuration import configure

Given: TypeAlias = argparse.Namespace


def run(arguments: Sequence[str]) -> int:
    """Run the verb that `arguments` begin with; return the exit code."""
    given = _parser().parse_args(arguments)
    act: Callable[[Given], None] = given.act
    try:
        act(given)
    except EdgefnError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edgefn-box", description="Look after the box of this machine.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, add in {"token": _add_token, "info": _add_info, "files": _add_files}.items():
        add(verbs.add_parser(name, help=VERBS[name], description=f"{VERBS[name][0].upper()}{VERBS[name][1:]}."))
    return parser


def _add_token(parser: argparse.ArgumentParser) -> None:
    _common(parser, _first_token)
    actions = parser.add_subparsers(metavar="ACTION")
    create = actions.add_parser("create", help="make a token and print it, this once")
    create.add_argument("name")
    create.add_argument(
        "--scope", action="append", required=True, help="admin, status, invoke:FUNCTION or invoke:*; repeatable"
    )
    create.add_argument("--rate", type=float, help="requests a second at most")
    _common(create, _create)
    _common(actions.add_parser("list", help="list the tokens; their values are shown once, when they are made"), _list)
    for name, act, told in (
        ("rotate", _rotate, "give a token a new value and print it, this once"),
        ("revoke", _revoke, "take a token away"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("name")
        _common(action, act)


def _add_info(parser: argparse.ArgumentParser) -> None:
    _common(parser, _info)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, help="where to copy them; without it they are listed")
    parser.set_defaults(act=_files)


def _common(parser: argparse.ArgumentParser, act: Callable[[Given], None]) -> None:
    # Not a default of None: an action's would take the place of what stands before it.
    parser.add_argument("--home", metavar="DIRECTORY", default=argparse.SUPPRESS, help="the home of the box")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    parser.set_defaults(act=act)


def _home(given: Given) -> Path:
    return configure({"home": getattr(given, "home", None)}).settings.home


def _first_token(given: Given) -> None:
    file = _home(given) / "token"
    try:
        value = file.read_text("utf-8", "replace").strip()
    except OSError as error:
        raise Unauthorized(
            f"{file} cannot be read ({error.strerror}): name the home of a box that has run with --home, as its user"
        ) from error
    _print(given, {"token": value, "home": str(file.parent)}, [value])


def _create(given: Given) -> None:
    made = owner.ask(_home(given), routes.CREATE_TOKEN, TokenRequest(given.name, given.scope, given.rate))
    _print(given, made.json, [made.value.token])


def _rotate(given: Given) -> None:
    made = owner.ask(_home(given), routes.ROTATE_TOKEN, token=given.name)
    _print(given, made.json, [made.value.token])


def _revoke(given: Given) -> None:
    owner.ask(_home(given), routes.REVOKE_TOKEN, token=given.name)
    _print(given, {"name": given.name, "revoked": True}, [f"{given.name} is revoked"])


def _list(given: Given) -> None:
    found = owner.ask(_home(given), routes.TOKENS)
    _print(given, found.json, list(texts.tokens(found.value)))


def _info(given: Given) -> None:
    found = owner.ask(_home(given), routes.BOX)
    _print(given, found.json, list(texts.about(found.value, found.json)))


def _files(given: Given) -> None:
    paths = shipped.files().values() if given.folder is None else shipped.copy(given.folder)
    print("\n".join(map(str, paths)))


def _print(given: Given, found: Any, lines: Sequence[str]) -> None:
    print(json.dumps(found) if getattr(given, "json", False) else "\n".join(lines))
