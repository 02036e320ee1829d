"""The steps of an ONNX file, some of them written otherwise. Owns how a file is read, changed and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    Rewrite = Callable[[onnx.ModelProto], bool]


def rewrite(path: Path, *rewrites: Rewrite) -> list[bool]:
    """Change the file at `path` by each of `rewrites` in turn; return which of them changed anything."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    changed = [one(model) for one in rewrites]
    if any(changed):
        onnx.save(model, path)
    return changed


def replace(graph: onnx.GraphProto, otherwise: Callable[[onnx.NodeProto], Iterable[onnx.NodeProto] | None]) -> bool:
    """Put in each step's place what `otherwise` makes of it, where that is anything; return whether it ever was."""
    nodes, changed = list(graph.node), False
    del graph.node[:]
    for node in nodes:
        made = otherwise(node)
        graph.node.extend([node] if made is None else made)
        changed |= made is not None
    return changed
