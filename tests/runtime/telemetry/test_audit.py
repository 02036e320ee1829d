"""The audit log: whole lines of JSON, bounded, and no flood of wrong tokens drives a deployment out of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgefn.api.audit import AuditRecord
from edgefn_runtime.telemetry import audit
from edgefn_runtime.telemetry.audit import ACTOR, Actor, AuditLog


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def records(log: AuditLog, lines: int = 1000) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.tail(lines)]


def test_a_record_says_who_did_what(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Time, token's name, address, action and what was moved; the same is in the box's own log."""
    log = AuditLog(tmp_path, clock=lambda: 1_772_366_400.5)
    token = ACTOR.set(Actor("ci", "10.0.0.7"))
    with caplog.at_level(logging.INFO, "edgefn.audit"):
        log.change("deploy", function="echo", before="sha256:a", after="sha256:b", result="ok")
    ACTOR.reset(token)
    assert records(log) == [
        {
            "at": "2026-03-01T12:00:00.500Z",
            "who": "ci",
            "address": "10.0.0.7",
            "action": "deploy",
            "function": "echo",
            "before": "sha256:a",
            "after": "sha256:b",
            "result": "ok",
        }
    ]
    assert caplog.messages == ["deploy, echo, by ci at 10.0.0.7, sha256:a -> sha256:b, ok"]


def test_what_comes_from_outside_stays_one_short_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Line ends, escape sequences and lone surrogates neither break a record nor reach a terminal."""
    log = AuditLog(tmp_path)
    with caplog.at_level(logging.INFO, "edgefn.audit"):
        log.change("deploy", detail="a\nb\x1b[2J\ud800" + "x" * 100_000)
    (line,) = log.tail(10)
    assert len(line) < 1500
    assert line.isprintable()
    assert caplog.messages[0].isprintable()
    assert json.loads(line)["detail"].startswith("a b\\x1b[2J")


def test_it_is_bounded_on_the_disk(tmp_path: Path) -> None:
    """Three files of the size at most, and the newest records are there."""
    log = AuditLog(tmp_path, rotate_bytes=10_000)
    for number in range(1000):
        log.change("deploy", detail=str(number))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 30_000
    assert records(log, 1)[0]["detail"] == "999"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_a_flood_of_wrong_tokens_is_a_few_records_and_costs_no_deployment_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one address and from a thousand: summed up by the minute, in files of their own."""
    monkeypatch.setattr(audit, "WINDOW_S", 0.05)

    async def test() -> None:
        log = AuditLog(tmp_path, rotate_bytes=20_000)
        log.change("deploy", function="echo", result="ok")
        for _ in range(10_000):
            log.wrong_token("192.0.2.1")
        for number in range(5_000):
            log.wrong_token(f"2001:db8::{number:x}")
        async with asyncio.timeout(10):
            async for line in log.follow(0):
                if "other addresses" in line:
                    break
        found = records(log)
        assert [one["action"] for one in found].count("deploy") == 1
        assert len(found) <= 2 * audit.MAX_ADDRESSES + 3
        told = {one["address"]: one["detail"] for one in found if "detail" in one}
        assert told["192.0.2.1"].startswith("9999 more")
        assert told["other addresses"].startswith(f"{5_000 - audit.MAX_ADDRESSES + 1} more")
        log.close()

    on_loop(test)


def test_a_follower_sees_both_kinds_in_order(tmp_path: Path) -> None:
    """The last records of both files by time, then each new one; the drain ends it."""

    async def test() -> None:
        seconds = itertools.count(1_772_366_400)
        log = AuditLog(tmp_path, clock=lambda: float(next(seconds)))
        for action in ("one", "two", "three"):
            (log.incident if action == "two" else log.change)(action)
        seen = []
        async for line in log.follow(2):
            seen.append(json.loads(line)["action"])
            if seen == ["two", "three"]:
                log.change("four")
                log.end_followers()
        assert seen == ["two", "three", "four"]

    on_loop(test)


@pytest.mark.parametrize("jump_s", [-3600, 3600, 0])
def test_a_clock_that_jumps_changes_no_order(tmp_path: Path, jump_s: int) -> None:
    """The last records are those that were written last, and a torn one keeps its place."""
    now = [1_772_366_400.0]
    log = AuditLog(tmp_path, clock=lambda: now[0])
    for number in range(6):
        log.change(str(number))
        now[0] += jump_s if number == 2 else 1
    with (tmp_path / "audit.jsonl").open("a") as file:
        file.write("torn")
    log.change("6")
    records = [json.loads(line) for line in log.tail(100)]
    assert [record["action"] for record in records if record != {"detail": "torn"}] == list("0123456")
    assert json.loads(log.tail(2)[0]) == {"detail": "torn"}
    assert json.loads(log.tail(1)[0])["action"] == "6"


def test_a_full_disk_costs_the_record_alone(tmp_path: Path) -> None:
    """What is told of goes on; the loss is counted."""
    log = AuditLog(tmp_path / "gone")
    log.change("deploy")
    assert log.dropped == 1
    assert log.tail(10) == []


def test_a_torn_line_is_no_harm(tmp_path: Path) -> None:
    """A power cut tears the last one; the others are read."""
    (tmp_path / "audit.jsonl").write_text('{"at": "2026', encoding="utf-8")
    log = AuditLog(tmp_path)
    log.change("deploy")
    torn, told = (msgspec.json.decode(line, type=AuditRecord) for line in log.tail(10))
    assert (torn, told.action) == (AuditRecord(detail='{"at": "2026'), "deploy")
