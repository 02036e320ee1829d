"""`TorchScriptLowering`: model.pt, traced and frozen. Importing this module does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.backends.pytorch import record
from edgefn.backends.torchscript.backend import FILE
from edgefn.compile.lower.lowering import Lowered
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.compile.lower.lowering import Captured
    from edgefn.targets.probe import Probe
    from edgefn.targets.profiles import Target


class TorchScriptLowering:
    """The lowering called "torchscript": any machine with that version of torch runs what it makes."""

    name = "torchscript"

    def probe(self) -> Probe:
        """Tell whether torch is installed; read its metadata, never import it."""
        return record.probe()

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write `model.pt` and its record into `folder`.

        Raise BuildError when the network does not trace, or its trace holds for one batch size only.
        """
        if target.precision != "fp32":
            raise BuildError(f"torchscript has no {target.precision}, so it does not build the target {target}")
        from edgefn.compile.capture import operators
        from edgefn.compile.lower.torchscript import tracing

        operators.check_none_foreign(captured.program, f"model {captured.model.name}, target {target}")
        script = tracing.trace(captured, target)
        folder.mkdir(parents=True, exist_ok=True)
        tracing.save(script, folder / FILE)
        record.write(folder, captured.model)
        return Lowered({"torch": record.installed()})
