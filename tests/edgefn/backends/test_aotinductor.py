"""The AOTInductor backend: code for the target's CPU and not the build machine's, refused on any other."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.capture.capture import Capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.lower.aotinductor.instructions import Instructions, instructions
from edgefn.errors import BuildError, BundleError
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets import facts
from edgefn.targets.profiles import Target, profiles
from edgefn.testing.reference import SPEC, captured, network

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

TARGET = Target("x86-64-v3", "fp32", "aotinductor", False)
V3 = profiles()["x86-64-v3"].cpu.features
BACKEND: Any = backends.get("aotinductor")
LOWERING: Any = lower.get("aotinductor")

needs_v3 = pytest.mark.skipif(
    not facts.features(facts.cpuinfo()).issuperset(V3), reason="this machine is no x86-64-v3, so it cannot run the code"
)


@pytest.fixture(scope="module")
def caught() -> tuple[EagerSession, Capture]:
    return captured(network, SPEC, {"classes": 5, "batch": 1})


@pytest.fixture(scope="module")
def built(
    caught: tuple[EagerSession, Capture], tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The artifact's folder, and the command lines that g++ was called with to make it: one for all tests."""
    folder = tmp_path_factory.mktemp("aotinductor")
    (folder / "bin").mkdir()
    recorder = folder / "bin" / "g++"
    recorder.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/calls"\nexec "{tool("g++")}" "$@"\n')
    recorder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{recorder.parent}:{os.environ['PATH']}")
        lowered = LOWERING.lower(caught[1], TARGET, folder / "portable")
    assert lowered.toolchain["march"] == "x86-64-v3"
    return folder / "portable", (folder / "calls").read_text().splitlines()


@pytest.fixture
def finished(built: tuple[Path, list[str]], tmp_path: Path) -> Path:
    BACKEND.finish(built[0], tmp_path / "finished")
    return tmp_path / "finished"


@pytest.mark.long
@needs_v3
def test_the_code_is_compiled_for_the_profile_and_not_for_this_machine(built: tuple[Path, list[str]]) -> None:
    """Both compilations have the profile's -march, and no flag of a feature that the profile lacks.

    There are others, by which torch tries out what this machine's vectors are; none of them is linked.
    """
    parts = (".kernel.cpp", ".wrapper.cpp")
    compilations = [call.split() for call in built[1] if any(word.endswith(parts) for word in call.split())]
    assert len(compilations) == 2, built[1]
    for words in compilations:
        assert [word for word in words if word.startswith(("-march", "-mcpu", "-mtune"))] == ["-march=x86-64-v3"]
        vectors = {word.removeprefix("-m") for word in words if word.startswith(("-mavx", "-mfma", "-mf16c", "-mamx"))}
        assert vectors <= set(V3)
    assert any("-mavx2" in words for words in compilations)


@needs_v3
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"torch": "2.1.0"}, r"torch 2\.1\.0, and here is torch .*pip install torch==2\.1\.0"),
        ({"features": ["avx2", "made_up"]}, r"a CPU with made_up, which this one has not: deploy"),
    ],
)
def test_an_artifact_for_another_torch_or_cpu_is_refused(finished: Path, change: dict[str, Any], message: str) -> None:
    """Before the library is opened: on another CPU it would die of an illegal instruction, later."""
    record = json.loads((finished / "record.json").read_bytes())
    assert record["features"] == list(V3)
    (finished / "record.json").unlink()  # a link to the portable one
    (finished / "record.json").write_text(json.dumps(record | change))
    (finished / "model.so").unlink()
    with pytest.raises(BundleError, match=message):
        BACKEND.load(finished)


def _what_inductor_has_no_code_for() -> Any:
    import torch

    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            smaller = torch.nn.functional.interpolate(x, size=(5, 4), mode="bilinear", antialias=True)
            return {"filtered": torch.fft.irfft(torch.fft.rfft(x) * 0.5, n=x.shape[-1]), "smaller": smaller}

    return Net()


@needs_v3
def test_operators_that_inductor_has_no_code_for_are_torchs(tmp_path: Path) -> None:
    """The library finds them by a list beside it, where it is finished too: the first call ended in an error."""
    spec = ModelSpec("net", {"x": TensorSpec("float32", ("batch", 2, 8, "length"))})
    eager, caught = captured(_what_inductor_has_no_code_for, spec, {"batch": 2, "length": 9})
    LOWERING.lower(caught, TARGET, tmp_path / "portable")
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    shutil.rmtree(tmp_path / "portable")
    session = BACKEND.load(tmp_path / "finished")
    for batch, length in ((2, 9), (1, 8), (3, 31)):
        inputs = {"x": np.random.default_rng(length).standard_normal((batch, 2, 8, length)).astype(np.float32)}
        found: Any = session.run(inputs)
        wanted: Any = eager.run(inputs)
        for name, answer in wanted.items():
            np.testing.assert_allclose(found[name], answer, rtol=1e-5, atol=1e-5)


@needs_v3
def test_a_damaged_library_is_a_bundle_error(finished: Path) -> None:
    """What does not load is named."""
    (finished / "model.so").unlink()
    (finished / "model.so").write_bytes(b"not a library")
    with pytest.raises(BundleError, match=r"model\.so"):
        BACKEND.load(finished)


@needs_v3
def test_a_missing_compiler_is_named_with_its_package(
    caught: tuple[EagerSession, Capture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the model, the target and Debian's package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("g++") is None
    with pytest.raises(BuildError, match=r"model net, target x86-64-v3/fp32@aotinductor.*apt-get install g\+\+"):
        LOWERING.lower(caught[1], TARGET, tmp_path / "artifact")


def test_a_profile_that_this_machine_is_not_is_refused(
    caught: tuple[EagerSession, Capture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch writes the vectors of the machine that it runs on: for others it is no compiler, and says so."""
    monkeypatch.setattr(facts, "cpuinfo", lambda: {"processor": "0", "flags": "fpu sse4_2 avx"})
    with pytest.raises(BuildError, match=r"model net.*has no .*avx2, bmi1.*build it on such a machine"):
        LOWERING.lower(caught[1], TARGET, tmp_path / "artifact")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (msgspec.structs.replace(TARGET, precision="int8"), r"no int8.*x86-64-v3/int8@aotinductor"),
        (msgspec.structs.replace(TARGET, profile="portable"), r"target portable/fp32@.*the profile's CPU is any"),
    ],
)
def test_a_target_that_it_does_not_compile_for_is_refused(
    caught: tuple[EagerSession, Capture], tmp_path: Path, target: Target, message: str
) -> None:
    """Another precision, or a profile of no CPU in particular."""
    with pytest.raises(BuildError, match=message):
        LOWERING.lower(caught[1], target, tmp_path / "artifact")


def test_no_more_instructions_than_the_features_hold() -> None:
    """A level needs every feature of it; one missing means the level below, and no vectors below AVX2."""
    v2 = {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}
    v4 = {*v2, *V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}
    assert instructions("x86_64", v4) == Instructions("x86-64-v4", 512)
    assert instructions("x86_64", v4 - {"avx512vl"}) == Instructions("x86-64-v3", 256)
    assert instructions("x86_64", v4 - {"fma"}) == Instructions("x86-64-v2", 1)
    assert instructions("x86_64", v2 - {"popcnt"}) == Instructions("x86-64", 1)
    assert instructions("aarch64", {"asimd"}) == Instructions("armv8-a", 128)
    assert instructions("riscv64", set()) is None
