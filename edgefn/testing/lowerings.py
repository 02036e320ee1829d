"""What every lowering must hold, as tests: the build machine's half of an engine. See `edgefn.testing.backends`.

from edgefn.testing.lowerings import LoweringContract

class TestOurNpuLowering(LoweringContract):
    name = "our-npu"
    target = "our-board/fp32"
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from edgefn import backends, extras
from edgefn.errors import BuildError
from edgefn.targets import profiles
from edgefn.testing import reference
from edgefn.testing.processes import run_python
from edgefn.testing.reference import PortableArtifact

if TYPE_CHECKING:
    from edgefn.compile.capture.capture import Capture
    from edgefn.compile.capture.eager import EagerSession
    from edgefn.compile.lower.lowering import Lowering

_LOWERED = """
import sys
from pathlib import Path
from edgefn.testing import lowerings
lowerings.lowered_here(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
"""


def lowering_here(name: str) -> Lowering:
    """Return the lowering called `name`; skip the test where it, or PyTorch, cannot work here."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip(f"PyTorch is not here: {extras.hint('compile')}")
    from edgefn.compile import lower

    lowering = lower.get(name)
    if not (found := lowering.probe()).available:
        pytest.skip(f"the lowering {name} cannot work here: {found.fix}")
    return lowering


def lowered_here(name: str, target: str, folder: Path) -> PortableArtifact:
    """Return an artifact of the reference network for `target`, with eager's answers at several sizes."""
    lowering = lowering_here(name)
    eager, caught = reference.captured()
    lowering.lower(caught, profiles.target(target), folder / "portable")
    return PortableArtifact(folder / "portable", reference.samples(eager))


class LoweringContract:
    """The tests of one lowering. `name` is its entry point's, and its backend's; `target` is one that it makes."""

    name: ClassVar[str]
    target: ClassVar[str]
    rtol: ClassVar[float] = 1e-3
    atol: ClassVar[float] = 1e-4

    @pytest.fixture(scope="class")
    @classmethod
    def caught(cls) -> tuple[EagerSession, Capture]:
        """Return the reference network, in eager PyTorch and captured."""
        lowering_here(cls.name)
        return reference.captured()

    def test_it_is_found_by_its_name_and_has_a_backend(self) -> None:
        """Both halves have one name, and the lowering tells the version of its toolchain."""
        lowering = lowering_here(self.name)
        assert lowering.name == self.name
        assert lowering.probe().version
        assert self.name in backends.names()

    def test_it_writes_an_artifact_that_its_backend_runs_as_eager(
        self, caught: tuple[EagerSession, Capture], tmp_path: Path
    ) -> None:
        """The artifact is in its folder alone; the versions of what made it are told; its answers are eager's."""
        import numpy as np

        before, here = sorted(os.listdir()), tmp_path / "portable"
        lowered = lowering_here(self.name).lower(caught[1], profiles.target(self.target), here)
        assert sorted(os.listdir()) == before
        assert [path.name for path in tmp_path.iterdir()] == ["portable"]
        assert any(here.iterdir())
        assert lowered.toolchain
        assert all(lowered.toolchain.values())
        backend = backends.get(self.name)
        if not (found := backend.probe()).available:
            pytest.skip(f"{self.name} cannot run here: {found.fix}")
        session = backend.load(here)
        for pair in reference.samples(caught[0]):
            outputs: Any = session.run(dict(pair.inputs))
            for name, wanted in dict[str, Any](pair.outputs).items():
                assert outputs[name].dtype == wanted.dtype, name
                np.testing.assert_allclose(outputs[name], wanted, rtol=self.rtol, atol=self.atol, err_msg=name)

    def test_the_same_network_gives_the_same_files(self, tmp_path: Path) -> None:
        """A bundle's digest follows from its sources: no time, path or chance is in an artifact.

        In a process each, as in a build.
        """
        lowering_here(self.name)
        for folder in (tmp_path / "one", tmp_path / "two"):
            run_python(_LOWERED, self.name, self.target, str(folder))
        one, two = (
            {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
            for folder in (tmp_path / "one", tmp_path / "two")
        )
        assert one.keys() == two.keys()
        assert [str(name) for name in one if one[name] != two[name]] == []

    def test_a_precision_that_it_lacks_is_refused_by_name(
        self, caught: tuple[EagerSession, Capture], tmp_path: Path
    ) -> None:
        """A BuildError names the target, before anything is converted."""
        target = msgspec.structs.replace(profiles.target(self.target), precision="int4", default=False)
        with pytest.raises(BuildError, match="int4"):
            lowering_here(self.name).lower(caught[1], target, tmp_path / "portable")
