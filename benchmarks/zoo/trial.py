"""One network, built as its user would and held against the oracle, each in a process of its own with a time limit."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.zoo.network import Network
from benchmarks.zoo.project import Form, Outcome, Project, run
from benchmarks.zoo.record import Artifact, Record, judged, plain


def attempt(network: Network, form: Form, root: Path, targets: Sequence[str], limit_s: float) -> Record:
    """Build `network` below `root`, ask the oracle, clear up, and return what was found."""
    project = Project(root / f"{network.function}-{form}", network, form)
    project.write()
    try:
        outcome = project.build(targets, limit_s)
        record = Record(
            name=network.name,
            family=network.family,
            form=form,
            seconds=round(outcome.seconds, 1),
            refusal=_refusal(outcome, limit_s),
            targets=tuple(targets),
            artifacts=_artifacts(outcome),
            processor=str(machine.describe()["processor"]),
        )
        return record if record.refusal else _judged(record, project, targets, limit_s)
    finally:
        shutil.rmtree(project.root, ignore_errors=True)


def _refusal(outcome: Outcome, limit_s: float) -> str:
    if outcome.exit_code == 124:
        return f"not built within {limit_s:.0f} s"
    if outcome.event.get("event") == "built":
        return ""
    detail = str(outcome.event.get("detail") or outcome.stderr.strip() or "the build ended without a word")
    kind = "" if outcome.event.get("exit_code", 1) != 1 else "A FAULT OF EDGEFN: "
    return kind + plain(detail.splitlines()[0])[:700]


def _artifacts(outcome: Outcome) -> dict[str, Artifact]:
    rows: list[dict[str, Any]] = outcome.event.get("report", {}).get("artifacts", [])
    return {
        row["target"]: Artifact(
            status=row["status"],
            reason=plain(row["reason"].partition("\n")[0])[:700],
            mb=round(row["size_bytes"] / 1e6, 2),
            ratio=row["latency_ratio"],
            seconds=round(row["seconds"], 1),
            gate=row["error"],
            verdict=row["verdict"] or "",
        )
        for row in rows
    }


def _judged(record: Record, project: Project, targets: Sequence[str], limit_s: float) -> Record:
    command = [sys.executable, "-m", "benchmarks.zoo.oracle", str(project.root), project.network.name, project.form]
    code, out, err, _ = run([*command, *targets], limit_s)
    if code or not out.strip():
        lines = [line for line in err.strip().splitlines() if line.strip()]
        return msgspec.structs.replace(record, fault=f"oracle, exit {code}: {plain(lines[-1])[:300] if lines else ''}")
    found = json.loads(out.splitlines()[-1])
    of = found["artifacts"]
    artifacts = {
        target: msgspec.structs.replace(one, judged=judged(of[target]) if target in of else None)
        for target, one in record.artifacts.items()
    }
    return msgspec.structs.replace(
        record,
        artifacts=artifacts,
        parameters=found["parameters"],
        plain=found.get("plain"),
        plain_right=found.get("plain_right"),
    )
