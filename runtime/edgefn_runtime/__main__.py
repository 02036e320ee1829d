"""`edgefn-box`, or `python -m edgefn_runtime`: a box on a machine that has only the runtime extra, so no typer."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from edgefn.errors import SpecError
from edgefn_runtime.configuration import Configuration, configure
from edgefn_runtime.options import CONFIG, CONFIG_HELP, CONFIG_VARIABLE, OPTIONS, Option, flag, variable


def main() -> None:
    """Run a box in the foreground, and leave with its exit code."""
    configuration, only_check = _configuration(sys.argv[1:])
    if only_check:
        print(f"{configuration.file or 'no configuration file'}: the configuration is valid")
        return
    from edgefn_runtime.start import run

    sys.exit(run(configuration.settings))


def _configuration(arguments: list[str]) -> tuple[Configuration, bool]:
    """Return the configuration, and whether it is only to be checked."""
    parser = argparse.ArgumentParser(prog="edgefn-box", description="Run an edgefn box in the foreground.")
    parser.add_argument(flag(CONFIG), metavar="FILE", help=f"{CONFIG_HELP} ({CONFIG_VARIABLE})".replace("%", "%%"))
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    for name, option in OPTIONS.items():
        parser.add_argument(flag(name), dest=name, **_as_argument(name, option))
    given = vars(parser.parse_args(arguments))
    try:
        return configure(given), given["check"]
    except SpecError as error:
        parser.error(str(error))


def _as_argument(name: str, option: Option) -> dict[str, Any]:
    source = f" ({variable(name)})" if option.in_environment else ""
    shown = f"{option.help}{source}; default: {option.default}".replace("%", "%%")
    if option.is_switch:
        return {"action": argparse.BooleanOptionalAction, "default": None, "help": shown}
    return {"metavar": option.metavar, "help": shown} | ({"action": "append"} if option.is_list else {})


if __name__ == "__main__":
    main()
