"""An index beyond what it indexes: where PyTorch raises, no engine answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.dimensions.sizes import combined
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec
from edgefn.targets.profiles import Target

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

REFUSED = {("mnn", name) for name in ("scatter", "scatter a number", "scatter_add", "scatter_reduce", "index_copy")} | {
    (engine, name)
    for engine in ("openvino", "mnn")
    for name in ("embedding_bag", "offsets of bags", "first offset", "bincount")
}
"""What an engine computes otherwise, so that its build may refuse it."""

ROWS = 3
"""What is indexed has so many rows and columns."""


def ways() -> dict[str, Any]:
    """Return ways to index the rows or columns of x by i, by name."""
    import torch

    table = torch.arange(ROWS * 2.0).view(ROWS, 2)
    rows = torch.arange(ROWS)
    ones = torch.ones(1, ROWS)
    return {
        "embedding": lambda x, i: torch.nn.functional.embedding(i, table) + x.sum(),
        "computed": lambda x, i: torch.nn.functional.embedding((i * 2 - i).int().clamp(max=10), table) + x.sum(),
        "embedding_bag": lambda x, i: torch.nn.functional.embedding_bag(i[None], table) + x.sum(),
        "offsets of bags": lambda x, i: (
            torch.nn.functional.embedding_bag(rows, table, torch.stack((i[2], i[1].clamp(min=0)))).sum() + x
        ),
        "first offset": lambda x, i: torch.nn.functional.embedding_bag(rows, table, i[1:2].clamp(min=0)).sum() + x,
        "bincount": lambda x, i: i.clamp(max=9).bincount(minlength=ROWS) + x.sum(),
        "gather": lambda x, i: x.gather(1, i[:, None]),
        "index_select": lambda x, i: x.index_select(1, i),
        "x[:, i]": lambda x, i: x[:, i],
        "x[rows, i]": lambda x, i: x[rows, i],
        "scatter": lambda x, i: x.scatter(1, i[None], ones),
        "scatter a number": lambda x, i: x.scatter(0, i[:, None], 5.0),
        "scatter_add": lambda x, i: x.scatter_add(1, i[None], ones),
        "scatter_reduce": lambda x, i: x.scatter_reduce(1, i[None], ones, "amax"),
        "index_add": lambda x, i: x.index_add(0, i, x * 2, alpha=2),
        "index_copy": lambda x, i: x.index_copy(1, i.clamp(min=-1), x * 2),
        "index_fill": lambda x, i: x.index_fill(1, i, 5.0),
        "x[i] = 5": lambda x, i: torch.zeros_like(x).index_put((i,), torch.tensor(5.0)) + x,
    }


def eager_session(network: Any) -> EagerSession:
    """Make a session of a network of a square x and indices i."""
    specs = {"x": tensor("float32", ROWS, ROWS), "i": tensor("int64", ROWS)}
    return EagerSession(lambda: network, ModelSpec("net", specs, {}, combined(specs, "net")))


@pytest.mark.long
@pytest.mark.parametrize(
    "engine", ["onnxruntime", *(pytest.param(one, marks=pytest.mark.long) for one in ("openvino", "mnn"))]
)
def test_what_pytorch_refuses_is_refused(engine: str, tmp_path: Path) -> None:
    """Each index from far below 0 to far above the last has eager's answer, or none where eager raises."""
    import torch

    backend, target = get(engine), Target("x86-64-v3", "fp32", engine)
    x = np.arange(ROWS * ROWS, dtype=np.float32).reshape(ROWS, ROWS) + 1
    for name, way in ways().items():
        network = torch.nn.Module()
        network.forward = way
        session = eager_session(network)
        caught = capture(session, {})
        try:
            lower.get(engine).lower(caught, target, tmp_path / name)
        except BuildError:
            if (engine, name) in REFUSED:
                continue
            raise
        artifact = backend.load(tmp_path / name)
        for number in (-100, -ROWS - 1, -ROWS, -2, -1, 0, 1, ROWS - 1, ROWS, ROWS + 1, 100, 2**20):
            inputs: dict[str, Any] = {"x": x, "i": np.array([1, number, 0])}
            where = f"{name} of {number}"
            try:
                wanted = session.run(inputs)["output"]
            except Exception:  # IndexError of most, RuntimeError of some
                with pytest.raises(Exception, match=r"out of|out-of|invalid ind|Out of"):
                    pytest.fail(f"{where}: {artifact.run(inputs)}")
                continue
            np.testing.assert_array_equal(artifact.run(inputs)["output"], wanted, err_msg=where)
