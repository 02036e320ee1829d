"""Python tracebacks, cut down to the frames that the function's author wrote. Pure text in, text out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_FRAME = re.compile(r'\s*File "([^"]+)", line \d+')
_MACHINERY = re.compile(r"^<frozen |/(edgefn|edgefn_runtime|importlib|asyncio|concurrent)/|/(runpy|threading)\.py$")
_ON_THE_BOX = re.compile(r'(?<=")[^"\n]*/bundles/[0-9a-f]{12,64}/code/(?:(?P<top>\w+)/)?')


def trimmed(trace: str, folder: str, packages: Mapping[str, Path]) -> str:
    """Return `trace` without the frames of edgefn and the import system.

    A box's paths become those below `folder`, or in the project's shared `packages`. A trace in which no frame would be
    left stays whole: then edgefn itself is what failed.
    """

    def here(found: re.Match[str]) -> str:
        top = found["top"]
        return f"{packages[top]}/" if top in packages else f"{folder}/{f'{top}/' if top else ''}"

    own = _ON_THE_BOX.sub(here, trace)
    kept: list[str] = []
    dropping = False
    frames = 0
    for line in own.splitlines():
        if frame := _FRAME.match(line):
            dropping = bool(_MACHINERY.search(frame[1]))
            frames += not dropping
        elif not line.startswith("    "):
            dropping = False
        if not dropping:
            kept.append(line)
    return "\n".join(kept) if frames else own
