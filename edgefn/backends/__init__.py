"""The inference stacks, by name. Owns which there are; imports one only when it is asked for.

Others' backends are entry points of the group "edgefn.backends", each naming a class that satisfies
`edgefn.backends.backend.Backend`. A built-in name cannot be taken over by one.
"""

from __future__ import annotations

from edgefn.backends.registry import get, look_again, names

__all__ = ["get", "look_again", "names"]
