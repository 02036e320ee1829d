"""What the handler imports on its samples is there on a box, or the build says what to write instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases.case import Case
from tests.e2e.box import RunningBox

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(900)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
INSTEAD = "write that step with NumPy, or do it in the network's forward()"


def documented_nms() -> str:
    """The NumPy code that the guide gives in place of torchvision.ops.nms."""
    (code,) = re.findall(r"\n(    def nms\(.*\n(?:     .*\n|\n)*)", DOCUMENT.read_text("utf-8"))
    return "\n".join(line.removeprefix("    ") for line in code.strip("\n").splitlines())


def plain_nms(boxes: np.ndarray, scores: np.ndarray, bound: float) -> list[int]:
    """Non-maximum suppression as its definition has it, one pair of boxes after the other."""
    kept: list[int] = []
    for one in sorted(range(len(boxes)), key=lambda number: -scores[number]):
        if all(overlap(boxes[one], boxes[other]) <= bound for other in kept):
            kept.append(one)
    return kept


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return float(shared / union)


@pytest.mark.long
def test_torch_in_the_handler_is_refused_and_with_numpy_it_serves(tmp_path: Path, box: RunningBox) -> None:
    """The refusal names the line; the guide's NMS in its place builds, and a box answers as the definition says."""
    case = Case("torch_in_handler", tmp_path)
    refused = case.build()
    assert (refused.exit_code, refused.last["error"]) == (8, "BuildError")
    detail = refused.last["detail"]
    assert "torch_in_handler.py, line 17, imports torch, which never goes to a box" in detail
    assert INSTEAD in detail
    assert len(detail) < 400

    text = (case.folder / "torch_in_handler.py").read_text()
    head, _, _ = text.partition("    import torch\n    from torchvision")
    body = (
        "    out = net(x=x)[0].reshape(4, 5)\n"
        "    boxes = np.concatenate([out[:, :2], out[:, :2] + np.exp(out[:, 2:4])], 1)\n"
        "    return nms(boxes, out[:, 4], 0.5)\n"
    )
    (case.folder / "torch_in_handler.py").write_text(f"{head}{body}\n\n{documented_nms()}\n")
    case.built()
    box.deploy(case.bundle)
    x = np.random.default_rng(3).normal(size=(1, 8)).astype(np.float32)
    out = np.asarray(case.eager({"x": x}))[0].reshape(4, 5)
    boxes = np.concatenate([out[:, :2], out[:, :2] + np.exp(out[:, 2:4])], 1)
    assert box.call(case.name, x=x.tolist()) == plain_nms(boxes, out[:, 4], 0.5)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("import numpy as np\n", "import numpy as np\nimport torch\n", "torch_in_handler.py, line 4, imports torch"),
        ("import numpy as np\n", "import numpy as np\nimport lazy\n", "lazy.py, line 1, imports onnxscript"),
    ],
    ids=["at the top", "at the top of another module"],
)
def test_so_is_what_the_module_imports_at_its_top(tmp_path: Path, old: str, new: str, where: str) -> None:
    """A box imports the module too; nothing of PyTorch is loaded to find out."""
    case = Case("torch_in_handler", tmp_path)
    (case.folder / "lazy.py").write_text("import onnxscript\n")
    case.edit(old, new)
    refused = case.build()
    assert refused.last["detail"].startswith(f"torch_in_handler does not import on a box: {where}")
    assert INSTEAD in refused.last["detail"]


def test_a_fallback_without_torch_is_taken_as_on_a_box(tmp_path: Path) -> None:
    """`try: import torch` at the top goes on without; a builder that then misses it is told to import it itself."""
    case = Case("torch_in_handler", tmp_path)
    case.edit(
        "import numpy as np\n", "import numpy as np\ntry:\n    import torch\nexcept ImportError:\n    torch = None\n"
    )
    case.edit("    import torch\n\n    torch.manual_seed(0)", "    torch.manual_seed(0)")
    case.edit(
        "    import torch\n    from torchvision.ops import nms\n\n    out = torch.from_numpy(net(x=x))",
        "    return net(x=x)",
    )
    refused = case.build()
    assert "builder of model net raised AttributeError" in refused.last["detail"]
    assert "line 5, imports torch" in refused.last["detail"]
    assert refused.last["detail"].endswith("let the builder import it itself")


def test_the_guides_nms_is_the_definitions() -> None:
    """For many random boxes, scores and bounds."""
    space: dict[str, Any] = {"np": np}
    exec(documented_nms(), space)
    for seed in range(50):
        random = np.random.default_rng(seed)
        corners = random.random((40, 2)) * 10
        boxes = np.concatenate([corners, corners + random.random((40, 2)) * 6 + 0.1], 1)
        scores, bound = random.random(40), float(random.random())
        assert space["nms"](boxes, scores, bound) == plain_nms(boxes, scores, bound)
