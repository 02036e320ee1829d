"""docs/frameworks.md: each function on the page builds as it stands, and answers as eager PyTorch does."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.zoo import inputs, oracle, settled
from benchmarks.zoo.network import Input
from tests.cases.case import Case

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
EXAMPLES: dict[str, str] = dict(re.findall(r"^```python\n# (\w+)/\w+\.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
PHOTOS = ROOT / "functions" / "classify_image" / "samples"
SAMPLES, HELD_OUT, ALIKE = 6, 12, 4
LIMIT = 1e-3
"""Of an error over how far eager's answer moves: float32 is a hundredth of it."""

Arrays = dict[str, Any]


def pictures(side: int) -> Callable[[int], Arrays]:
    """Draw one batch of photos' crops by a seed."""
    return lambda seed: {
        "x": inputs.image((1, 3, side, side), np.random.default_rng(seed), Input("", (), "")).astype(np.float32)
    }


def texts(seed: int) -> Arrays:
    """Draw a batch of token numbers and its mask by a seed; four seeds in a row have the same sizes."""
    turn = seed // ALIKE
    random, shape = np.random.default_rng(seed), (1 + turn % 3, 5 + 4 * turn % 11)
    ids = inputs.tokens(shape, random, Input("int64", (), "tokens", 500))
    return {"input_ids": ids, "attention_mask": inputs.mask(shape, random, Input("", (), "")).astype(np.int64)}


def classify(folder: Path) -> Callable[[int], Arrays]:
    """Give the function its weights and its photos."""
    from torchvision.models import mobilenet_v3_small

    for path in sorted(PHOTOS.glob("*.jpg"))[:SAMPLES]:
        shutil.copy(path, folder / "samples")
    draw = pictures(224)
    keep(mobilenet_v3_small(weights=None), draw, folder / "mobilenet.pt")
    return lambda seed: {"pixels": draw(seed)["x"]}


def tag(folder: Path) -> Callable[[int], Arrays]:
    """Give the function its weights."""
    import timm

    draw = pictures(64)
    network = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=64, num_classes=10, depth=4)
    keep(network, draw, folder / "vit.pt")
    return draw


def embed(folder: Path) -> Callable[[int], Arrays]:
    """Give the function a small configuration, and the weights of it."""
    from transformers import BertConfig, BertModel

    small = {"vocab_size": 500, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    (folder / "config.json").write_text(json.dumps({**small, "intermediate_size": 64, "max_position_embeddings": 64}))
    keep(BertModel(BertConfig.from_json_file(folder / "config.json")), texts, folder / "bert.pt")
    return texts


ULTRALYTICS = '''"""In the place of Ultralytics: a network of the same traits."""
import torch
from yolo_like import network


class YOLO:
    def __init__(self, weights):
        self.model = network()
        self.model.load_state_dict(torch.load(weights, weights_only=True))
'''


def detect(folder: Path) -> Callable[[int], Arrays]:
    """Give the function its weights, and a package in the place of Ultralytics."""
    shutil.copy(ROOT / "benchmarks" / "zoo" / "written" / "yolo_like.py", folder)
    (folder / "ultralytics.py").write_text(ULTRALYTICS)
    network = importlib.import_module("benchmarks.zoo.written.yolo_like").network()
    draw = pictures(64)
    keep(network, draw, folder / "best.pt")
    return draw


def keep(network: torch.nn.Module, draw: Callable[[int], Arrays], path: Path) -> None:
    """Save weights that behave as trained ones."""
    batches = [[torch.from_numpy(array) for array in draw(seed).values()] for seed in range(4)]
    torch.save(settled.settle(network, batches).state_dict(), path)


MATERIAL: Mapping[str, Callable[[Path], Callable[[int], Arrays]]] = {
    one.__name__: one for one in (classify, tag, embed, detect)
}
LARGE = ("tag", "detect")
"""Those that build for a minute."""


def test_each_function_of_the_page_is_tried() -> None:
    """A further section brings a further test."""
    assert set(EXAMPLES) == set(MATERIAL)


@pytest.mark.needs_torch
@pytest.mark.long  # networks of torchvision and timm are in `make test`, by tests/benchmarks/test_zoo.py
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LARGE else []) for name in MATERIAL]
)
def test_a_function_of_the_page_builds_and_answers_as_eager_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At inputs that the build never saw, of other sizes where those are free."""
    source = tmp_path / "source"
    (source / "samples").mkdir(parents=True)
    (source / f"{name}.py").write_text(EXAMPLES[name])
    torch.manual_seed(0)
    draw = MATERIAL[name](source)
    if not any((source / "samples").iterdir()):
        for seed in range(SAMPLES):
            np.savez(source / "samples" / f"{seed}.npz", **draw(seed))
    case = Case(name, tmp_path, source)
    case.built()
    monkeypatch.syspath_prepend(case.folder)  # the builder imports what lies beside it
    held_out = [draw(100 + seed) for seed in range(HELD_OUT)]
    (session,) = [session for _, session in oracle.sessions(case.bundle)]
    for first in range(0, HELD_OUT, ALIKE):
        alike = held_out[first : first + ALIKE]
        answers = [list(session.run(arrays).values()) for arrays in alike]
        error, why = oracle.worst(answers, [flat(case.eager(arrays)) for arrays in alike])
        assert error < LIMIT, (name, why)


def flat(answer: Any) -> Sequence[Any]:
    """An answer's arrays, in order."""
    if isinstance(answer, Mapping):
        return list(answer.values())
    return list(answer) if isinstance(answer, list) else [answer]
