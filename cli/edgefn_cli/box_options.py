"""The options of a box as typer's: `edgefn box run` and `check` take those of `edgefn_runtime.options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperOption

from edgefn_cli.display.failures import Verb
from edgefn_runtime.options import CONFIG, CONFIG_HELP, CONFIG_VARIABLE, OPTIONS, Option, flag, variable

if TYPE_CHECKING:
    import typer

    from edgefn_runtime.configuration import Configuration

_META = "edgefn.box"


class BoxCommand(Verb):
    """A verb that takes all options of a box beside its own; `configured` reads them."""

    def __init__(self, *arguments: Any, params: list[Any] | None = None, **named: Any) -> None:
        super().__init__(*arguments, params=[*_typer_options(), *(params or ())], **named)


def configured(context: typer.Context) -> Configuration:
    """Return the box's settings from the verb's flags, the environment and box.toml. Raises SpecError."""
    from edgefn_runtime.configuration import configure

    return configure(context.meta.get(_META, {}))


def _typer_options() -> list[TyperOption]:
    config = TyperOption(
        param_decls=[flag(CONFIG)], metavar="FILE", help=f"{CONFIG_HELP}.", envvar=CONFIG_VARIABLE, **_KEPT
    )
    return [config, *(_typer_option(name, option) for name, option in OPTIONS.items())]


def _typer_option(name: str, option: Option) -> TyperOption:
    spelling = f"{flag(name)}/--no-{flag(name)[2:]}" if option.is_switch else flag(name)
    return TyperOption(
        param_decls=[name, spelling],
        metavar=None if option.is_switch else option.metavar,
        help=f"{option.help}. Default: {option.default}.",
        envvar=variable(name) if option.in_environment else None,
        is_flag=option.is_switch or None,
        multiple=option.is_list,
        **_KEPT,
    )


def _keep(context: Any, parameter: Any, value: object) -> object:
    """Keep a value of the command line, not one that click found in the environment.

    `configure` reads the environment itself.
    """
    source = context.get_parameter_source(parameter.name)
    if source is not None and source.name == "COMMANDLINE":
        context.meta.setdefault(_META, {})[parameter.name] = value
    return value


_KEPT: dict[str, Any] = {"expose_value": False, "default": None, "callback": _keep, "show_envvar": True, "type": None}
