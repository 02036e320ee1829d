"""Decides whether a machine can run an artifact of a target, and if not, why and what would help.

Pure: facts of the machine and needs of the target in, a refusal or None out. The build machine asks for
`all-native`, a box for each artifact.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from edgefn import extras
from edgefn.errors import BundleError
from edgefn.targets.needs import Needs

if TYPE_CHECKING:
    from edgefn.targets.probe import Probe

_EXTRAS = {"MNN": "mnn", "onnxruntime": "runtime", "openvino": "openvino", "torch": "torch"}
"""The extra that brings a library in a version that edgefn is tried with. No other command is ever told: what an
artifact needs is what its bundle says, and a person may run what edgefn tells."""


class MachineFacts(msgspec.Struct, frozen=True):
    """A machine, as far as targets depend on it.

    arch       as `platform.machine()` says it
    cpu        the CPU's name, for people
    features   flags of /proc/cpuinfo
    libraries  versions by distribution, of those that are installed
    devices    paths below /dev
    """

    arch: str
    cpu: str = ""
    features: frozenset[str] = frozenset()
    libraries: dict[str, str] = {}
    devices: frozenset[str] = frozenset()


class TargetRefusal(msgspec.Struct, frozen=True):
    """Why an artifact is not for this machine: what it needs, what there is instead, and what would help."""

    artifact: str
    needs: str
    has: str
    fix: str

    def __str__(self) -> str:
        return f"{self.artifact} {self.why}"

    @property
    def why(self) -> str:
        """Return the reason without the artifact's name."""
        return f"needs {self.needs}, this box has {self.has}: {self.fix}"


_Reason = tuple[str, str, str]  # needs, has, fix
Probing = Callable[[str], "Probe"]
"""A backend's probe by the backend's name; may raise BundleError where there is none of that name."""


def refusal(
    artifact: str, needs: Needs, facts: MachineFacts, backend: str = "", probe: Probing | None = None
) -> TargetRefusal | None:
    """Return why a machine of these facts cannot run `artifact`, or None when it can.

    Checked in this order: CPU, device, library, backend.
    """
    found = unfit(needs, facts) or _library(needs, facts) or (_backend(backend, probe) if probe else None)
    return None if found is None else TargetRefusal(artifact, *found)


def unfit(needs: Needs, facts: MachineFacts) -> _Reason | None:
    """Return what the hardware lacks, which no library can replace; None when it lacks nothing."""
    return _arch(needs, facts) or _features(needs, facts) or _device(needs, facts)


def _arch(needs: Needs, facts: MachineFacts) -> _Reason | None:
    if needs.arch in ("", facts.arch):
        return None
    return f"a CPU of {needs.arch}", facts.arch, ELSEWHERE


def _features(needs: Needs, facts: MachineFacts) -> _Reason | None:
    missing = sorted(set(needs.features) - facts.features)
    if not missing:
        return None
    return f"the CPU features {', '.join(missing)}", f"a CPU without them ({facts.cpu or facts.arch})", ELSEWHERE


ELSEWHERE = "build it for a target that `edgefn box info` shows as satisfied, or deploy to a box of that kind"
"""The fix where no library helps: the hardware is another."""


def _device(needs: Needs, facts: MachineFacts) -> _Reason | None:
    if not needs.device or needs.device in facts.devices:
        return None
    name = needs.accelerator or "an accelerator"
    return (
        f"{name} at {needs.device}",
        f"no {needs.device}",
        "load its driver and restart the box, or deploy to a box that has one",
    )


def _library(needs: Needs, facts: MachineFacts) -> _Reason | None:
    if not needs.library:
        return None
    wanted, version = f"{needs.library}{needs.versions}", facts.libraries.get(needs.library)
    if version is None:
        return wanted, f"no {needs.library}", _fix(needs.library)
    if meets(version, needs.versions):
        return None
    return wanted, f"{needs.library} {version}", OTHERS


def _fix(library: str) -> str:
    return extras.hint(_EXTRAS[library]) if library in _EXTRAS else OTHERS


OTHERS = "install a matching version on the box, or build for a target that `edgefn box info` shows as satisfied"
"""The fix where no extra of edgefn brings the library, or brings another version of it."""


def meets(version: str, versions: str) -> bool:
    """Tell whether `version` satisfies the specifier `versions`; no version satisfies an invalid one."""
    if (plain := _meets_plain(version, versions)) is not None:
        return plain
    from packaging.specifiers import SpecifierSet  # 20 ms

    try:
        return SpecifierSet(versions).contains(version, prereleases=True)
    except ValueError:  # InvalidSpecifier, InvalidVersion, or a number of thousands of digits
        return False


def _meets_plain(version: str, versions: str) -> bool | None:
    """Compare a version of numbers alone with a bare ">=1.22"; return None for any other form.

    A starting box asks only for these, and they need no import of `packaging`.
    """
    least = _AT_LEAST.fullmatch(versions)
    if least is None or _RELEASE.fullmatch(version) is None:
        return None
    here, wanted = (tuple(map(int, text.split("."))) for text in (version, least[1]))
    return here + (0,) * (len(wanted) - len(here)) >= wanted


_AT_LEAST = re.compile(r">=\s*(\d{1,9}(?:\.\d{1,9})*)", re.ASCII)
_RELEASE = re.compile(r"\d{1,9}(?:\.\d{1,9})*", re.ASCII)


def _backend(name: str, probe: Probing) -> _Reason | None:
    try:
        found = probe(name)
    except BundleError as error:
        return f"the backend {name!r}", "none of that name", str(error)
    if found.available:
        return None
    return f"the backend {name!r}", found.has or "no installation of it", found.fix
