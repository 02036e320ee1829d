"""The fingerprint tells machines and versions apart, and costs no engine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys

import msgspec
import pytest

from edgefn_runtime import fingerprint


def test_changes_with_each_fact() -> None:
    """Another machine, CPU, Python or engine has another fingerprint; the same ones have the same."""
    facts = fingerprint.facts()
    assert facts.digest == fingerprint.fingerprint() == msgspec.structs.replace(facts).digest
    others = [
        msgspec.structs.replace(facts, machine="riscv64"),
        msgspec.structs.replace(facts, cpu=facts.cpu | {"flags": "none"}),
        msgspec.structs.replace(facts, python="3.99.0"),
        msgspec.structs.replace(facts, engines=facts.engines | {"onnxruntime": "0.0"}),
        msgspec.structs.replace(facts, engines=facts.engines | {"openvino": "0.0"}),
    ]
    assert len({facts.digest, *(other.digest for other in others)}) == 6


def test_same_in_every_process() -> None:
    """Two processes agree, whatever their hash seeds, and neither imports an engine or NumPy to know."""
    script = (
        "import sys; from edgefn_runtime.fingerprint import fingerprint; print(fingerprint()); "
        "loaded = {'onnxruntime', 'numpy', 'openvino', 'torch'} & set(sys.modules); assert not loaded, loaded"
    )
    found = [subprocess.check_output([sys.executable, "-c", script], text=True) for _ in range(2)]
    assert found == [f"{fingerprint.fingerprint()}\n"] * 2


def test_facts_are_this_machine() -> None:
    """The facts name this machine, and the engine's installed version."""
    facts = fingerprint.facts()
    assert facts.machine == platform.machine()
    assert facts.engines["onnxruntime"] == importlib.metadata.version("onnxruntime")
    assert {
        "onnxruntime",
        "openvino",
        "torch",
    } <= facts.engines.keys()  # of all profiles, installed or not
    assert facts.engines["edgefn"] == importlib.metadata.version("edgefn")
    assert any(key in facts.cpu for key in ("flags", "Features", "processor"))


def test_no_cpuinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that hides its CPU still has a fingerprint."""

    def hidden(*_: object, **__: object) -> None:
        raise FileNotFoundError("/proc/cpuinfo")

    monkeypatch.setattr("builtins.open", hidden)
    assert fingerprint._cpu() == {"processor": platform.processor()}
