"""Runs pip to find and fetch wheels for a machine that is not this one. Never installs anything.

What the box provides is offered to pip as empty stand-in wheels of the very versions, and pinned by a constraint:
the resolver then respects them, nothing of them is downloaded, and it works with no index at all.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from edgefn.bundle.packages.provided import REFUSED
from edgefn.errors import BuildError
from edgefn.targets.platforms import platform_tags

DOWNLOAD_TIMEOUT_S = 900
# A local version sorts above the same version without: pip takes the stand-in and not the index's wheel.
STAND_IN = "edgefn.box"
# A version that there is none of: the resolver stops before it downloads a byte of what is refused.
_NONE = f"0+never.{STAND_IN}"


def download(requirements: Path, python: str, platform: str, provided: Mapping[str, str], scratch: Path) -> list[Path]:
    """Download the wheels of `requirements` and all they need into `scratch`; return them sorted by name.

    The stand-ins are not returned. Raise BuildError with pip's error in one line.
    """
    if find_spec("pip") is None:
        raise BuildError(f"{requirements} needs pip, which is missing here: {sys.executable} -m ensurepip")
    fetched, stand_ins = scratch / "fetched", scratch / "provided"
    for folder in (fetched, stand_ins):
        folder.mkdir(parents=True)
    for name, version in provided.items():
        _write_stand_in(name, version, stand_ins)
    constraints = scratch / "constraints.txt"
    pins = {name: _stand_in_version(version) for name, version in provided.items()} | dict.fromkeys(REFUSED, _NONE)
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), "utf-8")
    _run(_command(python, platform, fetched, stand_ins, constraints, requirements), requirements, python, platform)
    names = {file.name for file in stand_ins.iterdir()}
    return sorted(file for file in fetched.iterdir() if file.name not in names)


def _command(
    python: str, platform: str, fetched: Path, stand_ins: Path, constraints: Path, requirements: Path
) -> list[str]:
    return [
        sys.executable, "-P", "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-color",
        "--progress-bar=off", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}",
        *(f"--platform={tag}" for tag in platform_tags(platform)),
        f"--dest={fetched}", f"--find-links={stand_ins}", f"--constraint={constraints}",
        f"--requirement={requirements.resolve()}",
    ]  # fmt: skip


def _stand_in_version(version: str) -> str:
    return f"{version}.{STAND_IN}" if "+" in version else f"{version}+{STAND_IN}"


def _write_stand_in(name: str, version: str, folder: Path) -> None:
    stem = f"{name.replace('-', '_')}-{_stand_in_version(version)}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {_stand_in_version(version)}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: edgefn\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for file, text in (("METADATA", metadata), ("WHEEL", wheel), ("RECORD", "")):
            archive.writestr(f"{stem}.dist-info/{file}", text)


def _run(command: list[str], requirements: Path, python: str, platform: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=requirements.parent, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=DOWNLOAD_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"{requirements}: pip did not finish in {DOWNLOAD_TIMEOUT_S} s: check that the package index answers"
        ) from None
    if done.returncode:
        raise BuildError(f"{requirements}: {explain(done.stdout, done.stderr, python, platform)}")


def explain(out: str, err: str, python: str, platform: str) -> str:
    """Explain the error in pip's output in one line, with the remedy."""
    return _refused(out + err) or _conflict(out) or _missing(err, python, platform) or _last_error(err)


def _refused(text: str) -> str:
    # Behind the name there may be what another constraint of the machine's pip says.
    match = re.search(rf"([\w.-]+)(?:[<>=!~]\S*)?=={re.escape(_NONE)}", text)
    if match is None:
        return ""
    asked = re.search(rf"^\s*(.+ depends on {match[1]}\b.*)$", text, re.M)
    who = f"{asked[1]}, but " if asked else ""
    return f"{who}{match[1]} never goes to a box, where the model's artifact runs: remove it from requirements.txt"


def _conflict(out: str) -> str:
    _, found, causes = out.partition("The conflict is caused by:")
    if not found:
        return ""
    lines = [line.strip() for line in causes.partition("\n\n")[0].strip().splitlines()]
    constraint = re.compile(rf"The user requested \(constraint\) (\S+?)==(\S+?)[+.]{re.escape(STAND_IN)}")
    told = [constraint.sub(r"the box itself provides \1 \2", line) for line in lines]
    return f"{'; '.join(told)}: require versions that are compatible, or remove one"


def _missing(err: str, python: str, platform: str) -> str:
    match = re.search(r"satisfies the requirement (.+?) \(from versions: (.*)\)", err)
    if match is None:
        return ""
    if "Retrying (Retry(" in err:
        return f"the package index did not answer for {match[1]}: try again with a network"
    others = "" if match[2] == "none" else f" (there are {match[2]})"
    return (
        f"no wheel of {match[1]} for Python {python} on {platform}{others}: require a version that has one, change "
        "python or platform under [build] in edgefn.toml, or build the wheel yourself and set PIP_FIND_LINKS"
    )


def _last_error(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    return f"pip failed: {(errors or lines or ['it printed nothing'])[-1].partition(':')[2].strip() or lines[-1]}"
