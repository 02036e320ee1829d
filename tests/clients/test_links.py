"""The options for a box behind a proxy, on a real box."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.box import RunningBox


def test_a_box_knows_its_path_and_whom_it_trusts(tmp_path: Path) -> None:
    """--root-path stands before every link; with nobody trusted, a header of this machine's does not count."""
    options = ["--root-path", "/edge", "--trusted-proxies", ""]
    with RunningBox(tmp_path / "box", options=options) as box:
        told = {"x-forwarded-prefix": "/other", "x-forwarded-proto": "https"}
        assert box.http.get("/", headers=told).json()["links"]["functions"] == "/edge/fn"
        assert box.http.get("/openapi.json", headers=told).json()["servers"] == [{"url": f"{box.url}/edge"}]
        moved = box.http.post("/fn/echo/", headers=told)
        assert (moved.status_code, moved.headers["location"]) == (308, "/edge/fn/echo")


def test_a_box_trusts_its_own_machine(tmp_path: Path) -> None:
    """By default a proxy on the box is believed."""
    with RunningBox(tmp_path / "box") as box:
        links = box.http.get("/", headers={"x-forwarded-prefix": "/edge"}).json()["links"]
        assert links["functions"] == "/edge/fn"
