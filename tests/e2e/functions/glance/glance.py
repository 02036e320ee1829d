"""Looks at pictures with little memory; `own` has it look at a broken file of its own."""

import os
import tempfile
from pathlib import Path

import numpy as np

from edgefn import Image, edge_function


@edge_function(memory="64MiB", timeout="30s", scale=(0, 1), max_body="32MiB")
def glance(photo: Image, page: int = 0, own: bool = False) -> dict[str, int]:
    """The size, the darkest and the brightest grey, the pages, and who looked."""
    if own:
        broken = Path(tempfile.gettempdir()) / "mask.png"
        broken.write_bytes(b"\x89PNG\r\n\x1a\n")
        Image.open(broken).array()
    grey = np.asarray(photo.page(page).pil("L"))
    height, width = grey.shape
    return {
        "width": width,
        "height": height,
        "low": int(grey.min()),
        "high": int(grey.max()),
        "pages": photo.pages,
        "pid": os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid(),
    }
