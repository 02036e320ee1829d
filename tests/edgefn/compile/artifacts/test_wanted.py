"""Which targets a build is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefn.compile.artifacts.wanted import expand_targets
from edgefn.errors import SpecError
from edgefn.targets.groups import PORTABLE
from edgefn.targets.matcher import MachineFacts
from edgefn.targets.profiles import profiles

AVX2 = MachineFacts("x86_64", features=frozenset(["sse2", *profiles()["x86-64-v3"].cpu.features]))
OTHER = MachineFacts("riscv64")


def _names(facts: MachineFacts, *names: str, folder: Path | None = None) -> list[str]:
    return [str(one.target) for one in expand_targets(names, facts, folder)]


def test_the_portable_target_is_always_built() -> None:
    """Whether it is asked for or not, once, and first."""
    assert _names(AVX2) == [PORTABLE]
    assert _names(AVX2, "x86-64-v3/int8") == [PORTABLE, "x86-64-v3/int8"]
    assert _names(AVX2, "x86-64-v3/int8", PORTABLE, "x86-64-v3/int8") == [PORTABLE, "x86-64-v3/int8"]


def test_all_native_is_the_portable_one_and_all_of_this_machines_profile() -> None:
    """Each target once, whatever names it has; none of a profile whose features are missing."""
    native = _names(AVX2, "all-native")
    runtimes = profiles()["x86-64-v3"].runtimes
    assert native[0] == PORTABLE
    assert len(native) == len(set(native)) == 1 + sum(len(one.precisions) for one in runtimes)
    assert all(name.startswith("x86-64-v3/") for name in native[1:])
    assert _names(OTHER, "all-native") == [PORTABLE]


def test_the_most_specific_profile_is_taken(tmp_path: Path) -> None:
    """A project's own, when it asks for more of what the machine has; not one that asks for what it has not."""
    cpu = '[cpu]\narch = "x86_64"\nfeatures = [{}]\n'
    text = f'description = "d"\n{cpu}[[runtimes]]\nbackend = "b"\nprecisions = ["fp32"]\n'
    features = ", ".join(f'"{one}"' for one in sorted(AVX2.features))
    (tmp_path / "mine.toml").write_text(text.format(features))
    (tmp_path / "more.toml").write_text(text.format(f'{features}, "avx512f"'))
    assert _names(AVX2, "all-native", folder=tmp_path) == [PORTABLE, "mine/fp32"]


def test_what_is_named_is_told_from_what_a_group_holds() -> None:
    """In whichever order they come: a backend that is missing is an error for the one, and skipped for the other."""
    for names in (("all-native", "x86-64-v3/int8"), ("x86-64-v3/int8", "all-native")):
        named = {str(one.target) for one in expand_targets(names, AVX2) if one.named}
        assert named == {PORTABLE, "x86-64-v3/int8"}


def test_a_name_that_is_none_is_refused() -> None:
    """With the nearest one there is."""
    with pytest.raises(SpecError, match=r"'x86-64-v3/int' is not known.*x86-64-v3/int8"):
        expand_targets(["x86-64-v3/int"], AVX2)
