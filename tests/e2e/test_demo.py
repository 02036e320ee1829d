"""`make demo`: the box that it starts."""

from __future__ import annotations

import runpy
from pathlib import Path

import httpx
import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo" / "run.py"


def test_the_demo_runs_a_box_in_development_mode(tmp_path: Path) -> None:
    """Its box says so; it has been started by hand on loopback, and is gone afterwards."""
    running_box = runpy.run_path(str(DEMO))["running_box"]
    with running_box(tmp_path) as environment:
        url, home = environment["EDGEFN_BOX"], Path(environment["EDGEFN_HOME"])
        token = (home / "token").read_text().strip()
        about = httpx.get(f"{url}/admin/box", headers={"authorization": f"Bearer {token}"}, trust_env=False).json()
        assert about["development"] is True
        assert url.startswith("http://127.0.0.1:")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz", trust_env=False)
