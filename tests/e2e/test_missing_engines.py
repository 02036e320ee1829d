"""A box whose own engine does not import any more: what needs none is served."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles


def test_functions_without_a_model_need_no_engine(tmp_path: Path, bundles: Bundles) -> None:
    """Its package is deleted or damaged: the process that all functions start from says so once, and starts them."""
    package = tmp_path / "path" / "onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('half of it is gone')")
    with RunningBox(tmp_path / "box", before=["env", f"PYTHONPATH={package.parent}"]) as box:
        box.deploy(bundles.of("slow"))
        assert box.invoke("slow", seconds=0).status_code == 200
        assert box.log.read_text().count("ImportError: half of it is gone") == 1
