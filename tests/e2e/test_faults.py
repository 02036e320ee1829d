"""Mixed faults under load, by seed: what clients are told is right, and no request is lost that was not begun."""

from __future__ import annotations

import re
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import psutil
import pytest

from tests.e2e.box import RunningBox
from tests.e2e.bundles import TINY, Bundles
from tests.e2e.clients import Answered, Asked, Clients, ask_digest, ask_witness
from tests.e2e.deadline import eventually
from tests.e2e.faults import CLIENTS, EVERYTHING, KILLS, Injector, request, sequence
from tests.e2e.processes import alive

SECONDS = 3.0
HELD = "while it held the request"
READ = "while it read the request"
"""No handler saw it, but it may be what ended the instance: it goes to no other."""
TWO = "two instances of"
WITNESS = (TINY / "witness" / "witness.py").read_text(encoding="utf-8")
STOPPED = "was stopped on this box"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, bundles: Bundles) -> Iterator[RunningBox]:
    """A box to do harm to, with two functions on it."""
    with RunningBox(tmp_path_factory.mktemp("faulty") / "box") as box:
        for name in ("witness", "digest"):
            box.deploy(bundles.of(name))
        yield box


def mixed(number: int) -> Asked:
    """Every second request has a body to be digested."""
    return ask_digest(number) if number % 2 else ask_witness(number)


def begun(box: RunningBox) -> Counter[int]:
    """How often each request was begun, as `witness` wrote into its log."""
    return Counter(int(number) for number in re.findall(r" begun (\d+)$", box.logs("witness", 10_000), re.MULTILINE))


def of(answers: list[Answered], status: int, text: str = "") -> list[Answered]:
    return [one for one in answers if one.status == status and text in one.detail]


def check(box: RunningBox, answers: list[Answered], done: str, *allowed: tuple[int, str]) -> None:
    """Each request has one answer, those with 200 the right one, and no other ends than those `allowed`."""
    told = f"{done}\n{box.words()}"
    assert len({one.number for one in answers}) == len(answers) == max(one.number for one in answers), told
    assert [one for one in answers if not one.right] == [], told
    strange = [one for one in answers if one.status != 200 and not any(one in of(answers, *end) for end in allowed)]
    assert strange == [], told
    assert all(one.retry_after.isdigit() for one in answers if one.status in (429, 503)), told
    assert len(of(answers, 200)) > len(answers) / 2, told


def test_a_sequence_is_its_seeds_own() -> None:
    """The same seed gives the same faults, another seed others."""

    def first(seed: int) -> list[tuple[str, str, float, float]]:
        faults = sequence(seed, ["a", "b"], EVERYTHING)
        return [next(faults) for _ in range(50)]

    assert first(1) == first(1) != first(2)
    assert {kind for kind, *_ in first(1)} > {"kill an instance", "look"}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_is_lost_that_was_not_begun(new_box: Callable[[], RunningBox], bundles: Bundles, seed: int) -> None:
    """kill -9 of instances, templates and the zygote: one request at most for each instance, none is begun twice."""
    box = new_box()
    box.deploy(bundles.of("witness"))
    with Injector(box, seed, ["witness"], KILLS) as injector:
        answers = Clients(box, ask_witness).run(SECONDS)
    check(box, answers, injector.told(), (502, HELD), (502, READ), (502, TWO))
    seen = eventually("the log is whole", lambda: log_of(box, answers))
    assert max(seen.values()) == 1, injector.told()
    assert len(of(answers, 502)) <= injector.count("kill an instance"), injector.told()
    assert injector.count("kill an instance") > 0, injector.told()
    assert not {one.number for one in of(answers, 502, TWO)} & seen.keys(), injector.told()


def log_of(box: RunningBox, answers: list[Answered]) -> Counter[int]:
    """What was begun, once all that was answered is in it; empty before."""
    seen = begun(box)
    return seen if {one.number for one in of(answers, 200)} <= seen.keys() else Counter()


def test_instances_stopped_for_a_moment_cost_nothing(faulty: RunningBox) -> None:
    """SIGSTOP and, up to 0.3 s later, SIGCONT, again and again under load: every answer is right."""
    with Injector(faulty, 3, ["witness"], {"stop an instance for a moment": 1}) as injector:
        answers = Clients(faulty, ask_witness, crowd=4).run(SECONDS)
    check(faulty, answers, injector.told())
    assert injector.done


def test_a_stopped_instance_costs_the_request_in_it_alone(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """SIGSTOP under load, for good: its request gets 504, all others are right, and the stopped process is gone."""
    box = new_box()
    config = bundles.of("witness").config
    hurried = msgspec.structs.replace(config, function=msgspec.structs.replace(config.function, timeout_s=3.0))
    box.deploy(bundles.with_config("witness", hurried, title="hurried-witness"))
    with ThreadPoolExecutor(1) as load:
        answering = load.submit(Clients(box, ask_witness, crowd=4).run, SECONDS)
        status = box.until("the load is on", "witness", lambda status: status.requests > 50)
        stopped = psutil.Process(status.instances[0].pid)
        stopped.send_signal(signal.SIGSTOP)
        answers = answering.result()
    check(box, answers, "", (504, "did not answer within its timeout of 3 s; its instance is replaced"))
    assert len(of(answers, 504)) <= 1
    eventually("the stopped process is gone", lambda: not alive(stopped))
    assert box.call("witness", n=1) == {"n": 2}


def test_a_request_whose_body_comes_across_a_switch_is_served(faulty: RunningBox, bundles: Bundles) -> None:
    """Its head came under one revision, its end under the next: that one answers, and nobody is told to come again."""
    code = WITNESS.replace("n + 1", "n + 1000")
    bundle = bundles.with_code("witness", code, title="witness-after-the-switch")
    host, _, port = faulty.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(request("witness", b'{"n"', declared=8))
        faulty.deploy(bundle)
        client.sendall(b": 7}")
        told = b""
        while not told.endswith(b"}"):
            told += client.recv(65536)
    assert told.endswith(b'{"n":1007}'), told
    faulty.deploy(bundles.of("witness"))


def test_bad_clients_among_good_ones(faulty: RunningBox) -> None:
    """Clients that leave, send half a request or nothing: every other client gets its own right answer."""
    with Injector(faulty, 4, ["witness", "digest"], CLIENTS, every_s=0.02) as injector:
        answers = Clients(faulty, mixed).run(2.0)
    check(faulty, answers, injector.told())
    assert min(injector.counts().values()) > 3, injector.told()


@pytest.mark.parametrize("seed", [5])
def test_everything_at_once(new_box: Callable[[], RunningBox], bundles: Bundles, seed: int) -> None:
    """All faults with stops, deployments and rollbacks among them: the box lives, each answer is right or says why."""
    box = new_box()
    again = bundles.with_code("witness", f"{WITNESS}\n# once more\n", title=f"witness-again-{seed}")
    for name in ("witness", "digest"):
        box.deploy(bundles.of(name))
    deployed = [again, bundles.of("digest"), bundles.of("witness")]
    with Injector(box, seed, ["witness", "digest"], EVERYTHING, bundles=deployed) as injector:
        answers = Clients(box, mixed).run(2 * SECONDS)
    check(box, answers, injector.told(), (502, HELD), (502, READ), (502, TWO), (503, STOPPED), (504, "its timeout"))
    for_good = injector.count("stop an instance for good")
    assert len(of(answers, 504, "did not answer")) <= for_good, injector.told()
    assert for_good > 1 or not of(answers, 504, "did not start the request"), (
        injector.told()
    )  # two hold all of a function's places
    for ask in (ask_witness, ask_digest):
        assert {one.status for one in Clients(box, ask, crowd=1).run(0.2)} == {200}
    assert len(box.pids()) < 12, "what was replaced has ended"
