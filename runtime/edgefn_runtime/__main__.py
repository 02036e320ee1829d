"""`edgefn-box`, or `python -m edgefn_runtime`: a box on a machine that has only the runtime extra, so no typer.

Without a verb it runs the box; `command/` has the verbs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from edgefn.errors import SpecError
from edgefn_runtime.command import VERBS
from edgefn_runtime.configuration import Configuration, configure
from edgefn_runtime.options import CONFIG, CONFIG_HELP, CONFIG_VARIABLE, OPTIONS, Option, flag, variable


def main() -> None:
    """Run a box in the foreground, or a verb about it, and leave with its exit code."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in VERBS:
        from edgefn_runtime.command.verbs import run as run_verb

        sys.exit(run_verb(arguments))
    configuration, only_check = _configuration(arguments)
    if only_check:
        print(f"{configuration.file or 'no configuration file'}: the configuration is valid")
        return
    from edgefn_runtime.start import run

    sys.exit(run(configuration.settings))


def _configuration(arguments: list[str]) -> tuple[Configuration, bool]:
    """Return the configuration, and whether it is only to be checked."""
    parser = argparse.ArgumentParser(
        prog="edgefn-box",
        usage="edgefn-box [OPTION…]\n       edgefn-box {" + " | ".join(VERBS) + "} …",
        description="Run an edgefn box in the foreground. With a verb, look after the one that runs.",
        epilog="verbs:\n" + "".join(f"  {verb:8} {told}\n" for verb, told in VERBS.items()),
        formatter_class=_Help,
    )
    parser.add_argument("--version", action=_Version, help="show the version")
    parser.add_argument(flag(CONFIG), metavar="FILE", help=f"{CONFIG_HELP} ({CONFIG_VARIABLE})".replace("%", "%%"))
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    for name, option in OPTIONS.items():
        parser.add_argument(flag(name), dest=name, **_as_argument(name, option))
    given = vars(parser.parse_args(arguments))
    try:
        return configure(given), given["check"]
    except SpecError as error:
        parser.error(str(error))


class _Help(argparse.HelpFormatter):
    """Help whose epilog keeps its lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("verbs:") else super()._fill_text(text, width, indent)


class _Version(argparse.Action):
    """Print the version and leave: it is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *ignored: object) -> None:
        from importlib.metadata import version

        print(f"edgefn {version('edgefn')}")
        parser.exit()


def _as_argument(name: str, option: Option) -> dict[str, Any]:
    source = f" ({variable(name)})" if option.in_environment else ""
    shown = f"{option.help}{source}; default: {option.default}".replace("%", "%%")
    if option.is_switch:
        return {"action": argparse.BooleanOptionalAction, "default": None, "help": shown}
    return {"metavar": option.metavar, "help": shown} | ({"action": "append"} if option.is_list else {})


if __name__ == "__main__":
    main()
