"""What is played through ahead of a request: it costs what comes after it less, and leaves nothing behind."""

from __future__ import annotations

import os
import resource
import sys

from edgefn_runtime.child.sandbox import layers
from edgefn_runtime.child.sandbox.confinement import Confinement
from edgefn_runtime.child.warmup import warm_up
from tests.runtime.child.sandbox.test_sandbox import in_child


def test_nothing_of_it_stays() -> None:
    """Neither a module nor a folder that modules are looked for in."""
    warm_up()
    modules, paths, known = set(sys.modules), list(sys.path), set(sys.path_importer_cache)
    warm_up()
    assert (set(sys.modules), sys.path, set(sys.path_importer_cache)) == (modules, paths, known)


def test_who_has_warmed_up_its_sandbox_touches_fewer_pages() -> None:
    """Faults of pages on the way to the function's first line, counted in children of the same parent."""
    expected = layers.probe()

    def faults(*, warm: bool) -> int:
        reader, writer = os.pipe()

        def enter() -> None:
            layers.prepare(network=False)
            if warm:
                layers.warm_up(expected)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            layers.enter(Confinement("f"), {})
            os.write(writer, str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before).encode())

        assert in_child(enter) == "done"
        os.close(writer)
        with open(reader, encoding="ascii") as told:
            return int(told.read())

    assert faults(warm=True) < 0.8 * faults(warm=False)
