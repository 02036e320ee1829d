"""A model whose builder and handler lie in packages that functions share, through the whole build."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edgefn.compile.outcome import Outcome

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300), pytest.mark.long]

TALK = """
import numpy as np
from edgefn import edge_function, edge_model, tensor
from wording import worded

@edge_model(inputs={"x": tensor("float32", "batch", 4)}, samples="samples/*.json")
def small():
    from networks import linear
    return linear(4)

@edge_function
def talk(numbers: list[float]) -> str:
    return worded(float(small(x=np.array([numbers], np.float32)).max()))
"""
NETWORKS = """
from pathlib import Path

def linear(width):
    import torch
    layer = torch.nn.Linear(width, 3)
    torch.nn.init.constant_(layer.weight, float((Path(__file__).parent / "scale.txt").read_text()))
    return layer
"""
WORDING = "def worded(value):\n    return 'much' if value > 1 else 'little'\n"


def test_each_artifact_depends_on_what_its_builder_imports(tmp_path: Path) -> None:
    """Weights in a package's data are in the network's key; the handler's package is in the answers' key alone."""
    (tmp_path / "talk" / "samples").mkdir(parents=True)
    (tmp_path / "talk" / "talk.py").write_text(TALK)
    for number in range(3):
        (tmp_path / "talk" / "samples" / f"{number}.json").write_text(json.dumps([number, 1, 2, 3]))
    for name, source in (("networks", NETWORKS), ("wording", WORDING)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source)
    (tmp_path / "networks" / "scale.txt").write_text("1")
    (tmp_path / "edgefn.toml").write_text('[project]\nname = "p"\npackages = ["networks", "wording"]\n')

    def build() -> Outcome:
        command = [sys.executable, "-m", "edgefn.compile", str(tmp_path / "talk")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd="/")
        outcome = Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)
        assert outcome.exit_code == 0, outcome.last
        return outcome

    first = build()
    assert first.rows["portable/fp32"]["answers"]["matched"] == 3
    assert build().last["cached"] is True
    (tmp_path / "wording" / "__init__.py").write_text(WORDING.replace("much", "plenty"))
    reworded = build()
    assert reworded.last["digest"] != first.last["digest"]
    assert reworded.rows["portable/fp32"]["cached"] is True
    (tmp_path / "networks" / "scale.txt").write_text("2")
    assert build().rows["portable/fp32"]["cached"] is False
