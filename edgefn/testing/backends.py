"""What every backend must hold, as tests: the authors of another engine run them on theirs, as edgefn does on its own.

    from edgefn.testing.backends import BackendContract

    class TestOurNpu(BackendContract):
        name = "our-npu"
        target = "our-board/fp32"
        engine = ("our_npu",)

pytest collects them. The artifact comes from the lowering of the same name, where this machine has it; else override
`artifact`. Each test that may end a process runs in one of its own.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from edgefn import backends
from edgefn.testing.processes import run_python
from edgefn.testing.reference import PortableArtifact

if TYPE_CHECKING:
    from edgefn.backends.backend import Backend

_DAMAGED = """
import os, sys
from pathlib import Path
import numpy as np
from edgefn import backends, golden
from edgefn.errors import EdgefnError
name, pairs, folders = sys.argv[1], golden.load(Path(sys.argv[2])), sys.argv[3:]
backend = backends.get(name)
backend.warm_up()

def tried(folder):
    try:
        session = backend.load(folder)
        for pair in pairs:
            found = session.run(dict(pair.inputs))
            for output, wanted in pair.outputs.items():
                np.testing.assert_allclose(found[output], wanted, rtol=1e-3, atol=1e-4)
    except EdgefnError as error:
        assert str(error).strip(), "an error without a message"

for folder in map(Path, folders):
    child = os.fork()
    if child == 0:
        try:
            tried(folder)
        except BaseException as error:
            print(f"{(folder / 'told').read_text()}: {type(error).__name__}: {error}", flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        print(f"{(folder / 'told').read_text()}: the process ends with {code}", flush=True)
"""

_FORKED = """
import os, sys
from pathlib import Path
import numpy as np
from edgefn import backends, golden
name, folder, pairs = sys.argv[1], Path(sys.argv[2]), golden.load(Path(sys.argv[3]))
backend = backends.get(name)
backend.warm_up()
session = backend.load(folder)
before = session.run(dict(pairs[0].inputs))
for number, pair in enumerate(pairs):
    child = os.fork()
    if child == 0:
        after = session.run(dict(pair.inputs))
        os._exit(number == 0 and not all(np.array_equal(after[one], before[one]) for one in before))
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"a child that runs sample {number} ended with {code}")
"""

_ASKED = """
import sys
from edgefn import backends
backends.get(sys.argv[1]).probe()
sys.exit(", ".join({*sys.argv[2:], "numpy", "torch"} & set(sys.modules)) or 0)
"""

_LOADED = """
import sys
from pathlib import Path
from edgefn import backends, golden
name, folder, pairs = sys.argv[1], Path(sys.argv[2]), golden.load(Path(sys.argv[3]))
backend = backends.get(name)
backend.warm_up()
session = backend.load(folder)
for pair in pairs:
    session.run(dict(pair.inputs))
"""

_SIGNALLED = """
import faulthandler, gc, itertools, os, signal, sys
from pathlib import Path
from edgefn import backends, golden
name, pairs, folders = sys.argv[1], golden.load(Path(sys.argv[2])), [Path(one) for one in sys.argv[3:]]
faulthandler.enable()  # handlers run on the signal stack that it makes
backend = backends.get(name)
backend.warm_up()
came = []
signal.signal(signal.SIGALRM, lambda number, frame: came.append(number))

def signalled(when):
    child = os.fork()
    if child == 0:
        signal.raise_signal(signal.SIGALRM)
        os._exit(not came)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"{when}, a signal ends the process with {code}")

for order in itertools.permutations(range(3)):
    sessions = {}
    for number in range(3):
        sessions[number] = backend.load(folders[number % len(folders)])
        sessions[number].run(dict(pairs[0].inputs))
        signalled(f"after {number + 1} sessions came")
    for number in order:
        del sessions[number]
        gc.collect()
        signalled(f"after sessions went in the order {order}, number {number} just now")
"""


class BackendContract:
    """The tests of one backend. `name` is its entry point's; `engine` are the modules that only its methods import.

    `target` is one that its lowering makes an artifact for; `rtol` and `atol` bound a float output's difference from
    eager PyTorch's.
    """

    name: ClassVar[str]
    target: ClassVar[str]
    engine: ClassVar[tuple[str, ...]] = ()
    rtol: ClassVar[float] = 1e-3
    atol: ClassVar[float] = 1e-4

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, tmp_path_factory: pytest.TempPathFactory) -> PortableArtifact:
        """Return a portable artifact: lowered here; skip where the build machine's half is not here."""
        from edgefn.testing.lowerings import lowered_here

        return lowered_here(cls.name, cls.target, tmp_path_factory.mktemp("contract"))

    @pytest.fixture(scope="class")
    @classmethod
    def finished(cls, artifact: PortableArtifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return the artifact, finished for this machine."""
        folder = tmp_path_factory.mktemp("finished") / "unfinished"
        folder.mkdir()
        cls.backend().finish(artifact.folder, folder)
        return folder.rename(folder.with_name("finished"))

    @pytest.fixture(scope="class")
    @classmethod
    def pairs(cls, artifact: PortableArtifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a file of the samples, for a process of its own."""
        from edgefn import golden

        path = tmp_path_factory.mktemp("samples") / "samples.npz"
        golden.write(artifact.samples, path)
        return path

    @classmethod
    def backend(cls) -> Backend:
        """Return the backend; skip the test where its engine is not installed."""
        backend = backends.get(cls.name)
        if not (found := backend.probe()).available:
            pytest.skip(f"{cls.name} cannot work here: {found.fix}")
        return backend

    def test_it_is_found_by_its_name_and_tells_its_version(self) -> None:
        """The entry point names a class whose `name` is the entry point's."""
        assert self.name in backends.names()
        assert self.backend().name == self.name
        assert self.backend().probe().version
        assert isinstance(self.backend().fork_safe, bool)

    def test_asking_for_it_imports_no_engine(self) -> None:
        """Making it and probing read metadata only: the box's own process does both."""
        self._run(_ASKED, self.name, *self.engine)

    def test_finishing_leaves_the_portable_artifact_as_it_is(self, artifact: PortableArtifact, tmp_path: Path) -> None:
        """It writes into its folder alone, and the same again into another."""
        before = _digests(artifact.folder)
        for folder in (tmp_path / "first", tmp_path / "second"):
            folder.mkdir()
            self.backend().finish(artifact.folder, folder)
            assert any(folder.iterdir())
        assert _digests(artifact.folder) == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
        assert _digests(tmp_path / "first").keys() == _digests(tmp_path / "second").keys()

    @pytest.mark.parametrize("form", ["portable", "finished"])
    @pytest.mark.parametrize(("threads", "batched"), [(1, False), (2, False), (1, True)])
    def test_it_answers_as_eager_at_every_size(
        self, artifact: PortableArtifact, finished: Path, form: str, threads: int, batched: bool
    ) -> None:
        """Finished and moved to its place, or as it comes; the sizes of the samples in any order, and again."""
        folder = finished if form == "finished" else artifact.folder
        session = self.backend().load(folder, threads=threads, batched=batched)
        for pair in (*artifact.samples, *reversed(artifact.samples)):
            self._same(session.run(dict(pair.inputs)), pair.outputs)

    def test_outputs_are_the_callers_and_inputs_stay_his(self, artifact: PortableArtifact, finished: Path) -> None:
        """Read-only inputs are taken; outputs are C-contiguous, no input's memory, and no later run changes them."""
        import numpy as np

        session = self.backend().load(finished)
        given = {name: np.array(one) for name, one in artifact.samples[-1].inputs.items()}
        for one in given.values():
            one.flags.writeable = False
        found: dict[str, Any] = session.run(given)
        kept = {name: one.copy() for name, one in found.items()}
        for pair in artifact.samples:
            session.run(dict(pair.inputs))
        del session
        for name, one in found.items():
            np.testing.assert_array_equal(one, kept[name])
            assert one.flags.c_contiguous
            assert not any(np.shares_memory(one, other) for other in given.values())
        for name, array in artifact.samples[-1].inputs.items():
            np.testing.assert_array_equal(given[name], array)

    def test_a_session_made_before_a_fork_runs_after_it(self, finished: Path, pairs: Path) -> None:
        """Where the backend says `fork_safe`: with one thread, in several children, with the same answers."""
        if not self.backend().fork_safe:
            pytest.skip(f"{self.name} is not fork safe: each instance loads its own sessions")
        self._run(_FORKED, self.name, str(finished), str(pairs))

    def test_a_signal_reaches_its_handler_whatever_sessions_came_and_went(
        self, artifact: PortableArtifact, finished: Path, pairs: Path
    ) -> None:
        """In any order. An engine that leaves the signal stack of a session that is gone ends the process instead."""
        self._run(_SIGNALLED, self.name, str(pairs), str(finished), str(artifact.folder))

    def test_loading_and_running_print_nothing(self, finished: Path, pairs: Path) -> None:
        """What a process prints goes to the function's log, which is its author's."""
        assert self._run(_LOADED, self.name, str(finished), str(pairs)) == ""

    def test_a_damaged_artifact_is_an_error_and_not_a_crash(
        self, artifact: PortableArtifact, finished: Path, pairs: Path, tmp_path: Path
    ) -> None:
        """Each file missing, empty, cut in two, or another: an error of edgefn, or the right answers all the same."""
        for number, (name, content) in enumerate(_damages(finished)):
            folder = tmp_path / str(number)
            folder.mkdir()
            for path in finished.rglob("*"):
                if path.is_file() and (relative := path.relative_to(finished)) != name:
                    (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                    os.link(path, folder / relative)
            if content is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            told = "is missing" if content is None else f"has {len(content)} other bytes"
            (folder / "told").write_text(f"{name} {told}")
        folders = sorted(map(str, tmp_path.iterdir()))
        found = self._run(_DAMAGED, self.name, str(pairs), *folders)
        assert not [line for line in found.splitlines() if " other bytes: " in line or " is missing: " in line]

    def _same(self, found: Any, wanted: Any) -> None:
        import numpy as np

        assert found.keys() == wanted.keys()
        for name, one in wanted.items():
            assert found[name].dtype == one.dtype, name
            np.testing.assert_allclose(found[name], one, rtol=self.rtol, atol=self.atol, err_msg=name)

    def _run(self, code: str, *arguments: str) -> str:
        self.backend()  # skips where it cannot work
        return run_python(code, *arguments)


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _damages(folder: Path) -> list[tuple[Path, bytes | None]]:
    """Return each file of `folder` with what it holds instead; None: it is missing."""
    found: list[tuple[Path, bytes | None]] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            name = path.relative_to(folder)
            found += [(name, None), (name, b""), (name, b"not what it was"), (name, content[: len(content) // 2])]
    return found
