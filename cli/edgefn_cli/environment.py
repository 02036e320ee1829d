"""The command's own variables, and the environment of its children.

Code of a function's author runs in its children: they must not find our tokens.
"""

from __future__ import annotations

import os

PREFIX = "EDGEFN_"
BOX, TOKEN, HOME, INSECURE = "EDGEFN_BOX", "EDGEFN_TOKEN", "EDGEFN_HOME", "EDGEFN_INSECURE"


def without_tokens() -> dict[str, str]:
    """Return the environment without this command's own variables, tokens among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
