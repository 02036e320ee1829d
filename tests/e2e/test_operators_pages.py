"""docs/metrics.md and docs/admin-api.md against a real box: each series and route, and none that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.box import RunningBox

DOCS = Path(__file__).parents[2] / "docs"
METHODS = {"get", "post", "put", "delete"}


def _table(page: str, columns: int) -> list[list[str]]:
    """Return the cells of the page's first table, without its head."""
    lines = re.findall(r"^\| .*\|$", (DOCS / page).read_text(encoding="utf-8").partition("\n\n*")[0], re.MULTILINE)
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split(" |")] for line in lines]
    return [row for row in rows[2:] if len(row) == columns]


def test_each_series_is_on_the_page_with_type_and_labels(deployed: Callable[[str], RunningBox]) -> None:
    """By a scrape of a box that has served, refused and started."""
    box = deployed("echo")
    box.call("echo", n=1)
    box.admin("GET", "box", headers={"authorization": "Bearer nobody's"})
    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(box.http.get("/metrics").text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = family.type, labels
    told = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels, _ in _table("metrics.md", 4)}
    assert told == found


def _routes(box: RunningBox) -> set[tuple[str, str]]:
    paths: dict[str, dict[str, Any]] = box.http.get("/openapi.json").json()["paths"]
    return {
        (method.upper(), path)
        for path, item in paths.items()
        for method in METHODS & item.keys()
        if not path.startswith("/fn/")
    }


def test_each_route_is_on_the_page_with_the_scope_that_opens_it(box: RunningBox) -> None:
    """A token of each scope is let in where the page says so, and nowhere else."""
    rows = _table("admin-api.md", 4)
    assert {(method, path) for method, path, _, _ in rows} == _routes(box)
    tokens = {
        scope: box.admin("POST", "tokens", json={"name": f"page-{scope[:6]}", "scopes": [scope]}).json()["token"]
        for scope in ("status", "invoke:*")
    }
    try:
        for method, path, scope, _ in rows:
            for held, value in tokens.items():
                url = path.replace("{name}", "nobody").replace("{token}", "nobody").replace("{digest}", "sha256:0")
                answer = box.http.request(method, url, headers={"authorization": f"Bearer {value}"})
                opens = scope in ("none", "callers'", "any") or (scope, held) == ("status", "status")
                assert (answer.status_code != 403) == opens, (method, path, held, answer.status_code)
    finally:
        for scope in tokens:
            box.admin("DELETE", f"tokens/page-{scope[:6]}")
