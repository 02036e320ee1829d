"""`all-native`, PROFILE/* and names: what each stands for on a machine, and what is left out with its reason."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgefn.errors import SpecError
from edgefn.targets import profiles as profiles_module
from edgefn.targets.facts import this_machine
from edgefn.targets.groups import ALL_NATIVE, check, members, native
from edgefn.targets.matcher import MachineFacts
from edgefn.targets.profiles import profiles, targets

from .test_reading import WHOLE, write


def names_of(name: str, facts: MachineFacts, folder: Path | None = None) -> tuple[str, ...]:
    return tuple(str(one) for one in members(name, facts, folder))


LIBRARIES = {"MNN": "3.6.1", "onnxruntime": "1.30.0", "openvino": "2026.1", "torch": "2.13.0+cpu"}


def machine(profile: str, **more: object) -> MachineFacts:
    """The least machine that satisfies the profile."""
    cpu = profiles()[profile].cpu
    return msgspec.structs.replace(MachineFacts(cpu.arch, profile, frozenset(cpu.features), LIBRARIES), **more)


@pytest.mark.parametrize("profile", sorted(set(profiles()) - {"portable"}))
def test_the_most_specific_profile_is_native(profile: str) -> None:
    """A machine with a profile's features and no more is that profile; all-native is all its targets but those
    that ask for more.
    """
    here = machine(profile)
    assert native(here) == profile
    found = names_of(ALL_NATIVE, here)
    own = {
        str(one)
        for one in targets().values()
        if one.profile == profile and not profiles_module.runtime_of(one).features
    }
    assert found[0] == "portable/fp32"
    assert set(found) == {"portable/fp32", *own}


def test_a_precision_that_asks_for_more_is_native_where_the_cpu_has_it() -> None:
    """bf16 of a profile whose CPUs need not have it: not on the least of them, and needed by its artifacts."""
    least = machine("x86-64-v4")
    more = machine("x86-64-v4", features=least.features | {"avx512_bf16"})
    assert "x86-64-v4/bf16" not in names_of(ALL_NATIVE, least)
    assert "x86-64-v4/bf16" in names_of(ALL_NATIVE, more)
    assert "avx512_bf16" in profiles_module.needs_of(profiles_module.target("x86-64-v4/bf16")).features
    assert "avx512_bf16" not in profiles_module.needs_of(profiles_module.target("x86-64-v4/fp32@openvino")).features


def test_a_machine_of_no_profile_has_portable() -> None:
    """A RISC-V board, or an x86 without SSE4.2, is served by portable/fp32."""
    for here in (MachineFacts("riscv64", libraries=LIBRARIES), MachineFacts("x86_64", libraries=LIBRARIES)):
        assert native(here) == ""
        assert names_of(ALL_NATIVE, here) == ("portable/fp32",)


def test_names_stand_for_themselves() -> None:
    """A target asked for by name is in, on whatever machine; its backend says whether it can be built here."""
    for name in ("cortex-a72/int8", "x86-64-v4/int8@openvino"):
        assert names_of(name, MachineFacts("riscv64")) == (name,)
    of_profile = {str(one) for one in targets().values() if one.profile == "x86-64-v3"}
    assert set(names_of("x86-64-v3/*", MachineFacts("riscv64"))) == of_profile


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
        members(name, MachineFacts("x86_64"))


@pytest.mark.parametrize("name", ["x86-64-v3/fp16", "portable/int8"])
def test_a_precision_that_a_profile_lacks(name: str) -> None:
    """The error names the nearest target of that very profile, and all that it has."""
    profile = name.partition("/")[0]
    own = ", ".join(str(one) for one in targets().values() if one.profile == profile)
    with pytest.raises(SpecError, match=rf'did you mean "{profile}/fp32"\? {profile} has {own}$'):
        check(name)


def test_a_projects_profile_can_be_the_native_one(tmp_path: Path) -> None:
    """One with an accelerator that is here goes before one without."""
    write(tmp_path, WHOLE)
    here = machine("cortex-a76", libraries=LIBRARIES | {"npu-lite": "2.0"})
    assert native(here, tmp_path) == "cortex-a76"
    here = msgspec.structs.replace(here, devices=frozenset({"/dev/npu0"}))
    assert native(here, tmp_path) == "board"
    assert names_of(ALL_NATIVE, here, tmp_path) == ("portable/fp32", "board/fp32", "board/int8")


def test_this_machine_runs_what_all_native_names() -> None:
    """Where the tests run, portable/fp32 is native at least, and no target of another architecture is."""
    here = this_machine()
    found = names_of(ALL_NATIVE, here)
    assert "portable/fp32" in found
    for name in found:
        assert profiles()[targets()[name].profile].cpu.arch in ("", here.arch)
