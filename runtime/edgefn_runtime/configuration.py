"""A box's settings from everywhere: flags before the environment, that before box.toml, that before the defaults.

box.toml is /etc/edgefn/box.toml as root, else edgefn/box.toml below the XDG configuration directory; `--config` or
EDGEFN_CONFIG names another. A key that is not an option is an error, and so is a file that others may write.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgefn.errors import SpecError
from edgefn.text.suggestion import did_you_mean
from edgefn_runtime.options import CONFIG, CONFIG_VARIABLE, OPTIONS, flag, variable
from edgefn_runtime.settings import BoxSettings, default_home

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Configuration(NamedTuple):
    """The settings, and by option the source of its value: a flag, a variable, the file, or "default"."""

    settings: BoxSettings
    sources: dict[str, str]
    file: Path | None


def configure(given: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Configuration:
    """Return the box's settings. Raises SpecError.

    `given` has the command line's values by option, and `config`.
    """
    environment = os.environ if environment is None else environment
    file = _file(given, environment)
    written = _read(file) if file else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, option in OPTIONS.items():
        value, source, what = _first(name, given, environment, written, file)
        sources[name] = source
        if source != "default":
            values[option.field] = option.read(value, what)
    values.setdefault("home", default_home())
    return Configuration(BoxSettings(**values), sources, file)


def default_file() -> Path:
    """Return the default path of box.toml."""
    if os.geteuid() == 0:
        return Path("/etc/edgefn/box.toml")
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "edgefn" / "box.toml"


def _first(
    name: str, given: Mapping[str, object], environment: Mapping[str, str], written: Mapping[str, object], file: object
) -> tuple[object, str, str]:
    """Return the first value of option `name` in precedence, its source, and its name for an error."""
    if given.get(name) is not None:
        return given[name], flag(name), flag(name)
    if OPTIONS[name].in_environment and (text := environment.get(variable(name))) is not None:
        return text, variable(name), variable(name)
    if name in written:
        return written[name], str(file), f"{name} of {file}"
    return None, "default", name


def _file(given: Mapping[str, object], environment: Mapping[str, str]) -> Path | None:
    named = given.get(CONFIG) or environment.get(CONFIG_VARIABLE)
    if named:
        return Path(str(named)).expanduser().absolute()
    usual = default_file()
    try:
        usual.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # whoever reads it says why it cannot be read: a box without its settings would allow more
    return usual


def _read(file: Path) -> dict[str, object]:
    import tomllib  # a box without a file does not pay for it

    try:
        with file.open("rb") as opened:
            _check_owner(os.fstat(opened.fileno()), file)
            for folder in {file.parent, file.resolve().parent}:
                _check_owner(folder.stat(), folder)
            found = tomllib.load(opened)
    except OSError as error:
        raise SpecError(f"cannot read {file} ({error.strerror}): choose another file with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{file} is not valid TOML: {error}") from error
    known = [name for name, option in OPTIONS.items() if option.in_file]
    for key in found:
        if key not in known:
            raise SpecError(f'{file} has an unknown key "{key}"{did_you_mean(key, known)}')
    return found


def _check_owner(found: os.stat_result, path: Path) -> None:
    """Refuse a file that another user could have written: its author decides what the box allows.

    Also a folder of such a file, in which another user could put another one, or none; /tmp, with its sticky bit,
    passes.
    """
    others_write = found.st_mode & _OTHERS_WRITE and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX)
    if found.st_uid not in (0, os.geteuid()) or others_write:
        raise SpecError(f"other users can write {path}: chown it to the box's user and run chmod go-w {path}")
