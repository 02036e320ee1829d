"""What a machine is, read without importing an engine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys

import pytest

from edgefn.targets.facts import cpuinfo, features, installed, name, this_machine


def test_facts_are_this_machine() -> None:
    """Architecture, installed libraries by their metadata, and device nodes."""
    here = this_machine()
    assert here.arch == platform.machine()
    assert here.libraries["onnxruntime"] == importlib.metadata.version("onnxruntime")
    assert {"/dev/null", "/dev/zero"} <= here.devices
    assert all(here.libraries.values())
    assert here.features == features(cpuinfo())


def test_further_libraries() -> None:
    """What a bundle needs is looked up too; what is not installed is not there."""
    here = this_machine("msgspec", "no-such-library")
    assert here.libraries["msgspec"] == importlib.metadata.version("msgspec")
    assert "no-such-library" not in here.libraries


@pytest.mark.parametrize(
    ("cpu", "flags"),
    [
        ({"flags": "fpu avx2 avx512_vnni"}, {"fpu", "avx2", "avx512_vnni"}),
        ({"Features": "fp asimd asimddp"}, {"fp", "asimd", "asimddp"}),
        ({"isa": "rv64imafdcv_zicsr_zba"}, {"i", "m", "a", "f", "d", "c", "v", "zicsr", "zba"}),
        ({"isa": "rv32imac"}, set[str]()),
        ({}, set[str]()),
    ],
)
def test_features_of_each_architecture(cpu: dict[str, str], flags: set[str]) -> None:
    """As /proc/cpuinfo of x86, ARM and RISC-V have them."""
    assert features(cpu) == flags


@pytest.mark.parametrize(
    ("cpu", "told"),
    [
        ({"model name": "AMD EPYC"}, "AMD EPYC"),
        ({"CPU implementer": "0x41", "CPU part": "0xd08"}, "Cortex-A72"),
        ({"CPU implementer": "0x41", "CPU part": "0xd0b"}, "Cortex-A76"),
        ({"CPU implementer": "0x41", "CPU part": "0xfff"}, "part 0xfff"),
        ({"CPU implementer": "0x51", "CPU part": "0xd08"}, platform.processor()),
    ],
)
def test_names_of_cpus(cpu: dict[str, str], told: str) -> None:
    """As x86 has them, and Arm's cores by their part number; another maker's numbers are not Arm's."""
    assert name(cpu) == told


def test_no_engine_is_imported() -> None:
    """Looking at what is installed loads none of it."""
    script = (
        "import sys; from edgefn.targets.facts import this_machine; this_machine(); "
        "print({'onnxruntime', 'openvino', 'torch', 'numpy'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"


def test_a_box_that_starts_imports_no_packaging() -> None:
    """What every bundle has, portable/fp32, is matched without the 20 ms that `packaging` takes to import."""
    script = (
        "import sys; from edgefn.targets.facts import this_machine; from edgefn.targets.matcher import refusal; "
        "from edgefn.targets.profiles import needs_of, target; "
        "assert refusal('', needs_of(target('portable/fp32')), this_machine()) is None; "
        "print('packaging' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"


def test_a_machine_that_hides_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc there are no features, and no error."""

    def hidden(*_: object, **__: object) -> None:
        raise FileNotFoundError("/proc/cpuinfo")

    monkeypatch.setattr("builtins.open", hidden)
    assert cpuinfo() == {}


def test_metadata_alone_is_no_installation() -> None:
    """Of a package whose folder was deleted pip's records stay behind."""
    assert installed("msgspec") == installed("msgspec", "msgspec") != ""
    assert installed("msgspec", "no_such_module_of_it") == installed("no-such-distribution") == ""
