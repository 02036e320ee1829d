"""What a function asks for it has by the operator's word alone, and only as long as he says so."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.api.deployments import StepEvent, WarningEvent
from edgefn.api.grants import Grant
from edgefn.errors import DeploymentRefused, InputError
from edgefn_runtime.deployment.checks import permissions
from edgefn_runtime.deployment.checks.permissions import Permission
from edgefn_runtime.store import schema
from tests.runtime.deployment.boxes import opened, until
from tests.runtime.deployment.bundles import function, function_spec

NETWORK, NULL = Permission("network"), Permission("device", "/dev/null")


def test_what_nobody_granted_is_refused_with_the_commands(tmp_path: Path) -> None:
    """The refusal has what is asked for, what is granted, and a command for the rest; then it deploys."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            bundle = function(tmp_path, network=True, devices=("/dev/null", "/dev/zero"))
            await box.deployments.allow("greet", NULL, "ops")
            with pytest.raises(DeploymentRefused) as caught:
                await box.deploy(bundle)
            assert str(caught.value) == (
                "greet asks for network, device /dev/null, device /dev/zero (device /dev/null is granted). To "
                "allow it, run on this box: `edgefn box allow greet network`; `edgefn box allow greet device /dev/zero`"
            )
            assert box.current("greet") is None
            for granted in (NETWORK, Permission("device", "/dev/zero")):
                await box.deployments.allow("greet", granted, "ops")
            await box.deploy(bundle)
            assert box.current("greet") == bundle.digest
            assert box.audited("action", "detail", "result")[-1] == ("deploy", "", "ok")

    asyncio.run(test())


def test_a_deployment_tells_what_the_function_has(tmp_path: Path) -> None:
    """In a step of its own, all of it, before anything is installed, each time; one that asks for nothing has none."""

    async def test() -> None:
        async with opened(tmp_path / "home", grants=["greet network"]) as box:
            await box.deployments.allow("greet", NULL, "ops")
            asking, modest = function(tmp_path, network=True, devices=("/dev/null",)), function(tmp_path)
            await box.upload(asking)
            await box.upload(modest)
            for first in ("unpack", "activate"):  # the second time it is installed
                events = [event async for event in box.deployments.deploy("greet", asking.digest)]
                steps = [(event.name, event.detail) for event in events if isinstance(event, StepEvent)]
                assert steps.count(("permit", "network, device /dev/null")) == 1
                assert not any(isinstance(event, WarningEvent) for event in events), events
                names = [name for name, _ in steps]
                assert names.index("permit") < names.index(first)
            events = [event async for event in box.deployments.deploy("greet", modest.digest)]
            assert "permit" not in [event.name for event in events if isinstance(event, StepEvent)]

    asyncio.run(test())


def test_a_later_revision_may_not_ask_for_more(tmp_path: Path) -> None:
    """What serves goes on, and a rollback is held to the same."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            modest, greedy = function(tmp_path), function(tmp_path, code="x = 2\n", network=True)
            await box.deploy(modest)
            with pytest.raises(DeploymentRefused, match="edgefn box allow greet network"):
                await box.deploy(greedy)
            assert box.current("greet") == modest.digest
            await box.deployments.allow("greet", NETWORK, "ops")
            await box.deploy(greedy)
            await box.deploy(modest)
            await box.deployments.revoke("greet", NETWORK)
            assert box.current("greet") == modest.digest, "it does not ask for the network and serves on"
            with pytest.raises(DeploymentRefused, match="edgefn box allow greet network"):
                await box.deployments.rollback("greet", 2)
            assert box.current("greet") == modest.digest

    asyncio.run(test())


def test_what_is_revoked_is_not_served_until_it_is_granted_again(tmp_path: Path) -> None:
    """Its processes end, the reason names the command, a restart does not forget; a grant brings it back."""

    async def test() -> None:
        bundle = function(tmp_path, network=True)
        async with opened(tmp_path / "home") as box:
            await box.deployments.allow("greet", NETWORK, "ops")
            await box.deploy(bundle)
            await box.deployments.revoke("greet", NETWORK)
            assert "greet" not in box.host.serving
            assert "edgefn box allow greet network" in box.host.failed["greet"]
        async with opened(tmp_path / "home") as box:
            assert "greet" not in box.host.serving
            assert "edgefn box allow greet network" in box.host.failed["greet"]
            await box.deployments.allow("greet", NETWORK, "ops")
            assert box.current("greet") == bundle.digest
            assert box.host.failed == {}
            assert ("allow", "network", "ok") in box.audited("action", "detail", "result")
            assert ("revoke", "network", "ok") in box.audited("action", "detail", "result")

    asyncio.run(test())


def test_a_grant_ends_no_deployment_that_is_under_way(tmp_path: Path) -> None:
    """What serves has all that it asks for, so there is nothing to change; a revocation does end it."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            await box.deployments.allow("greet", NETWORK, "ops")
            await box.deploy(function(tmp_path, network=True))
            box.host.hold = asyncio.Event()
            new = function(tmp_path, code="x = 2\n", network=True)
            deploying = asyncio.create_task(box.deploy(new))
            await until(lambda: box.host.calls.count("prepare") == 2, "the deployment starts its template")
            await box.deployments.allow("greet", NETWORK, "ops")
            await box.deployments.allow("greet", NULL, "ops")
            box.host.hold.set()
            await deploying
            assert box.current("greet") == new.digest

    asyncio.run(test())


def test_a_revocation_ends_the_deployment_that_was_let_in_with_the_grant(tmp_path: Path) -> None:
    """Though what serves does not ask for it: the new revision never has what was taken back meanwhile."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            modest = function(tmp_path)
            await box.deploy(modest)
            await box.deployments.allow("greet", NETWORK, "ops")
            box.host.hold = asyncio.Event()
            deploying = asyncio.create_task(box.deploy(function(tmp_path, code="x = 2\n", network=True)))
            await until(lambda: box.host.calls.count("prepare") == 2, "the deployment starts its template")
            await box.deployments.revoke("greet", NETWORK)
            box.host.hold.set()
            with pytest.raises(DeploymentRefused, match="was superseded by a revocation of network"):
                await deploying
            assert box.current("greet") == modest.digest

    asyncio.run(test())


def test_a_removed_function_takes_its_grants_along(tmp_path: Path) -> None:
    """Another function of that name asks anew."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            await box.deployments.allow("greet", NETWORK, "ops")
            await box.deploy(function(tmp_path, network=True))
            await box.deployments.remove("greet")
            assert box.deployments.grants() == []

    asyncio.run(test())


def test_development_mode_grants_what_is_asked_for_and_keeps_nothing(tmp_path: Path) -> None:
    """The deployer is warned, the list says by what; the same home without the mode serves the function no more."""

    async def test() -> None:
        bundle = function(tmp_path, network=True)
        async with opened(tmp_path / "home", development=True) as box:
            await box.upload(bundle)
            events = [event async for event in box.deployments.deploy("greet", bundle.digest)]
            assert any("development mode" in event.text for event in events if isinstance(event, WarningEvent))
            (grant,) = box.deployments.grants()
            assert grant == Grant("greet", "network", granted_by=permissions.DEVELOPMENT)
        async with opened(tmp_path / "home") as box:
            assert "edgefn box allow greet network" in box.host.failed["greet"]
            assert box.deployments.grants() == []

    asyncio.run(test())


def test_what_the_configuration_grants_stands_until_it_is_taken_out_there(tmp_path: Path) -> None:
    """It needs no command, is in the list as the configuration's, cannot be revoked, and goes with the file's line."""

    async def test() -> None:
        bundle = function(tmp_path, network=True)
        async with opened(tmp_path / "home", grants=["greet network"]) as box:
            await box.deploy(bundle)
            assert [grant.granted_by for grant in box.deployments.grants("greet")] == [permissions.STANDING]
            with pytest.raises(InputError, match="granted in the box's configuration"):
                await box.deployments.revoke("greet", NETWORK)
            assert box.current("greet") == bundle.digest
        async with opened(tmp_path / "home") as box:
            assert "edgefn box allow greet network" in box.host.failed["greet"]

    asyncio.run(test())


@pytest.mark.parametrize("text", ["network", "greet", "Greet network", "greet device /etc/shadow", "greet secret key"])
def test_a_configuration_that_grants_nothing_is_an_error(text: str) -> None:
    """As for the command: a typing mistake does not pass for a grant."""
    with pytest.raises(InputError):
        permissions.standing([text])


def test_what_was_deployed_before_there_were_grants_keeps_what_it_had(tmp_path: Path) -> None:
    """A home of the schema before is opened: the function serves, its grants are listed and audited, once."""

    async def test() -> None:
        bundle = function(tmp_path, network=True, devices=("/dev/null",))
        async with opened(tmp_path / "home", development=True) as box:
            await box.deploy(bundle)
            await box.deploy(function(tmp_path, "modest"))
        old = sqlite3.connect(tmp_path / "home" / "box.db")
        for (table,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table not in ("revisions", "history", "routes"):
                old.execute(f"DROP TABLE {table}")
        old.execute(f"PRAGMA user_version = {schema.GRANTS_VERSION - 1}")
        old.close()
        kept = [("greet", "device", "/dev/null"), ("greet", "network", "")]
        for _ in range(2):
            async with opened(tmp_path / "home") as box:
                assert box.current("greet") == bundle.digest
                assert [grant.key for grant in box.deployments.grants()] == kept
                assert {grant.granted_by for grant in box.deployments.grants()} == {permissions.KEPT}
                told = [one for one in box.audited("action", "function", "who") if one[0] == "allow"]
                assert told == [("allow", "greet", "box")] * 2

    asyncio.run(test())


def test_every_change_is_audited_with_the_digests(tmp_path: Path) -> None:
    """Deployments, refusals, rollbacks and removals: from what to what, and how it came out."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            one, two = function(tmp_path), function(tmp_path, code="x = 2\n")
            greedy = function(tmp_path, code="x = 3\n", network=True)
            await box.deploy(one)
            await box.deploy(two)
            with pytest.raises(DeploymentRefused):
                await box.deploy(greedy)
            await box.deployments.rollback("greet")
            await box.deployments.remove("greet")
            assert box.audited("action", "before", "after", "result") == [
                ("deploy", "", one.digest, "ok"),
                ("deploy", one.digest, two.digest, "ok"),
                ("deploy", two.digest, greedy.digest, "refused"),
                ("rollback", two.digest, one.digest, "ok"),
                ("remove", one.digest, "", "ok"),
            ]

    asyncio.run(test())


def test_changes_that_wait_for_each_other_are_audited_as_they_took_effect(tmp_path: Path) -> None:
    """Not from what served as they were asked for: the one before has changed that."""

    async def test() -> None:
        async with opened(tmp_path / "home") as box:
            one, two, three = (function(tmp_path, code=f"x = {number}\n") for number in (1, 2, 3))
            for bundle in (one, two, three):
                await box.deploy(bundle)
            await asyncio.gather(*(box.deployments.rollback("greet") for _ in range(2)))
            await asyncio.gather(*(box.deploy(two) for _ in range(2)))
            assert box.audited("action", "before", "after")[3:] == [
                ("rollback", three.digest, two.digest),
                ("rollback", two.digest, one.digest),
                ("deploy", one.digest, two.digest),
                ("deploy", two.digest, two.digest),
            ]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("network", "eth0", "it takes no value"),
        ("device", "", "below /dev"),
        ("device", "/etc/shadow", "below /dev"),
        ("device", "/dev/../etc/shadow", "below /dev"),
        ("device", "/dev/a; reboot", "below /dev"),
        ("device", "/dev/", "below /dev"),
        ("secret", "key", "functions cannot ask for 'secret' yet: this edgefn grants network and device"),
        ("webhook", "example.org", "functions cannot ask"),
        ("sink", "s", "functions cannot ask"),
        ("call", "f", "functions cannot ask"),
        ("root", "", "'root' cannot be granted"),
    ],
)
def test_what_is_nothing_to_grant_is_an_error(kind: str, value: str, why: str) -> None:
    """A kind that the product does not have is not stored in the hope of one that it will have."""
    with pytest.raises(InputError, match=why):
        permissions.read(kind, value)


@given(st.text(max_size=40))
def test_no_bundle_puts_a_command_into_the_operators_mouth(text: str) -> None:
    """Whatever path a bundle asks for, the refusal tells to run `edgefn box allow` with plain words, or nothing."""
    spec = function_spec("greet", devices=(f"/dev/{text}",))
    told = permissions.why_not(spec, permissions.asked(spec))
    if "which cannot be granted" not in told:
        assert told.count("`") == 2
        words = told.split("`")[1].split(" ")
        assert words[:5] == ["edgefn", "box", "allow", "greet", "device"]
        assert len(words) == 6
        assert not set(words[5]) & set(";&|$<>(){}[]*?!~#'\"\\\n\t")
