"""Whether proofs let a bundle be served."""

from __future__ import annotations

import msgspec
import pytest

from edgefn.bundle.config import BundleConfig
from edgefn.errors import DeploymentRefused
from edgefn_runtime.artifacts.finish.verdict import judge
from edgefn_runtime.artifacts.proof import Proof
from tests.runtime.deployment import bundles

PASSED = Proof("linear", "portable/fp32", "onnxruntime", True, 1e-7, 1.0, 2)


def test_judge() -> None:
    """A model needs an artifact that passed, and a portable one that fails is never excused by another."""
    config = BundleConfig(bundles.function_spec("scale"), (bundles.LINEAR,), (bundles.PORTABLE,))
    failed = msgspec.structs.replace(PASSED, passed=False, reason="too far")
    special = msgspec.structs.replace(PASSED, target="rk3588/int8")
    judge(config, [PASSED])
    judge(config, [PASSED, msgspec.structs.replace(special, passed=False)])
    for proofs in ([failed], [failed, special], []):
        with pytest.raises(DeploymentRefused, match="scale fails its golden samples"):
            judge(config, proofs)
    with pytest.raises(DeploymentRefused, match="no artifact of linear runs here"):
        judge(config, [])
