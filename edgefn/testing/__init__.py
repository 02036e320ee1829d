"""What an author's tests use: a function is called as HTTP calls it, in this process, with no box.

    from edgefn.testing import call

    answer = call(echo, json={"n": 1})
    assert answer.status == 200
    assert answer.json() == {"n": 2}

    invocation  one call: decoded, handled, encoded or refused as on a box
    requests    what `json=`, `data=`, `files=` and `query=` are as a request
    answers     what comes back
    artifacts   the models of a machine without PyTorch: those of the last build
    backends    what the box's half of an engine must hold, as tests
    lowerings   what the build's half must hold
    reference   the network that engines are tried with
    processes   Python code in a process of its own

It must never import a server or PyTorch. It applies no limit of time, memory or the sandbox: those are a box's.
"""

from __future__ import annotations

from edgefn.testing.answers import HttpAnswer
from edgefn.testing.invocation import call

__all__ = ["HttpAnswer", "call"]
