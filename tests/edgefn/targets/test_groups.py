"""`all-native`, PROFILE/* and names: what each stands for on a machine, and what is left out with its reason."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.backends.backend import Probe
from edgefn.errors import SpecError
from edgefn.targets.facts import this_machine
from edgefn.targets.groups import ALL_NATIVE, check, expand, native
from edgefn.targets.matcher import Facts
from edgefn.targets.profiles import profiles, targets

from .test_reading import WHOLE, write

LIBRARIES = {"onnxruntime": "1.30.0", "openvino": "2026.1", "torch": "2.13.0+cpu"}


def machine(profile: str, **more: object) -> Facts:
    """The least machine that satisfies the profile."""
    cpu = profiles()[profile].cpu
    return msgspec.structs.replace(Facts(cpu.arch, profile, frozenset(cpu.features), LIBRARIES), **more)


@pytest.mark.parametrize("profile", sorted(set(profiles()) - {"portable"}))
def test_the_most_specific_profile_is_native(profile: str) -> None:
    """A machine that has a profile's features, and no more, is that profile; all-native is all its targets."""
    here = machine(profile)
    assert native(here) == profile
    found = expand([ALL_NATIVE], here)
    own = {name for name, target in targets().items() if target.profile == profile}
    libraries = {one.library for one in profiles()[profile].runtimes}
    assert found.targets[0] == "portable/fp32"
    if libraries <= LIBRARIES.keys():
        assert set(found.targets) == {"portable/fp32", *own}
        assert found.left_out == ()


def test_a_machine_of_no_profile_has_portable() -> None:
    """A RISC-V board, or an x86 without SSE4.2, is served by portable/fp32."""
    for here in (Facts("riscv64", libraries=LIBRARIES), Facts("x86_64", libraries=LIBRARIES)):
        assert native(here) == ""
        assert expand([ALL_NATIVE], here).targets == ("portable/fp32",)


def test_what_is_not_installed_is_left_out_and_told() -> None:
    """all-native goes without the library, and says what would bring its targets in."""
    found = expand([ALL_NATIVE], machine("x86-64-v3", libraries={"onnxruntime": "1.30.0"}))
    assert found.targets == ("portable/fp32", "x86-64-v3/int8")
    assert {one.artifact: one.fix for one in found.left_out} == {
        "x86-64-v3/fp32": "pip install 'edgefn[openvino]'",
        "x86-64-v3/int8@openvino": "pip install 'edgefn[openvino]'",
        "x86-64-v3/fp32@torchscript": "pip install 'edgefn[torch]'",
        "x86-64-v3/fp32@aotinductor": "pip install 'edgefn[torch]'",
    }


def test_a_backend_that_cannot_is_left_out() -> None:
    """A backend's own word counts beside its library's."""
    found = expand(
        [ALL_NATIVE], machine("x86-64-v3"), probe=lambda name: Probe(name != "aotinductor", fix="apt install g++")
    )
    assert [(one.artifact, one.fix) for one in found.left_out] == [("x86-64-v3/fp32@aotinductor", "apt install g++")]


def test_names_stand_for_themselves() -> None:
    """A target asked for by name is in, on whatever machine; its backend says whether it can be built here."""
    names = ["cortex-a72/int8", "x86-64-v4/int8@openvino"]
    assert expand(names, Facts("riscv64")).targets == tuple(names)
    assert expand(["x86-64-v3/*"], Facts("riscv64")).targets == tuple(
        name for name in targets() if name.startswith("x86-64-v3/")
    )


def test_a_target_stands_once() -> None:
    """By whichever names it came: a default backend may be spelled out; what is asked for is not left out."""
    here = machine("x86-64-v3", libraries={"onnxruntime": "1.30.0"})
    found = expand(["x86-64-v3/int8@onnxruntime", ALL_NATIVE, "portable/*", "x86-64-v3/fp32"], here)
    assert found.targets == ("x86-64-v3/int8", "portable/fp32", "x86-64-v3/fp32")
    assert "x86-64-v3/fp32" not in {one.artifact for one in found.left_out}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("all-natives", "all-native"),
        ("x86-64-v3/int4", "x86-64-v3/int8"),
        ("x86-64-v9/*", r"x86-64-v\d/\*"),
        ("x86-64-v3/int8@openvin", "x86-64-v3/int8@openvino"),
    ],
)
def test_unknown_names(name: str, near: str) -> None:
    """A name that is none is an error with the nearest one, wherever it is given."""
    with pytest.raises(SpecError, match=rf'--target .* is not known; did you mean "{near}"'):
        check(name, what="--target")
    with pytest.raises(SpecError, match="is not known"):
        expand([name], Facts("x86_64"))


def test_a_projects_profile_can_be_the_native_one(tmp_path: Path) -> None:
    """One with an accelerator that is here goes before one without."""
    write(tmp_path, WHOLE)
    here = machine("cortex-a76", libraries=LIBRARIES | {"npu-lite": "2.0"})
    assert native(here, tmp_path) == "cortex-a76"
    here = msgspec.structs.replace(here, devices=frozenset({"/dev/npu0"}))
    assert native(here, tmp_path) == "board"
    assert expand([ALL_NATIVE], here, tmp_path).targets == ("portable/fp32", "board/fp32", "board/int8")


def test_this_machine_runs_what_all_native_names() -> None:
    """Where the tests run, portable/fp32 is native at least, and no target of another architecture is."""
    here = this_machine()
    found = expand([ALL_NATIVE], here)
    assert "portable/fp32" in found.targets
    for name in found.targets:
        assert profiles()[targets()[name].profile].cpu.arch in ("", here.arch)


@settings(deadline=None)
@given(st.lists(st.sampled_from([ALL_NATIVE, "x86-64-v3/*", *targets()])), st.sampled_from(sorted(profiles())))
def test_expansions_are_targets_each_once(names: list[str], profile: str) -> None:
    """Whatever is named, in whatever order: known targets, none twice, none both in and left out."""
    found = expand(names, machine(profile) if profile != "portable" else Facts("x86_64"))
    assert set(found.targets) <= set(targets())
    assert len(set(found.targets)) == len(found.targets)
    assert not set(found.targets) & {one.artifact for one in found.left_out}
    assert {name for name in names if name in targets()} <= set(found.targets)
