"""The table that is kept is the one that PyTorch reads, and no export adds to another's."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn.compile.onnx import registry

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def _table() -> Any:
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    return ONNXRegistry.from_torchlib()


def _told(table: Any) -> dict[str, list[tuple[str, bool, str]]]:
    """Tell by operator each translation's name, whether it is of complex numbers, and its signature, domain and all."""
    return {
        str(target): [(one.onnx_function.__name__, one.is_complex, repr(one.signature)) for one in known]
        for target, known in table.functions.items()
    }


def test_what_is_kept_is_pytorchs() -> None:
    """Each operator, in the order in which translations are tried, though no source is parsed for it."""
    with registry.kept():
        first, again = _table(), _table()
    assert _told(first) == _told(again) == _told(_table())
    assert first.opset_version == _table().opset_version
    assert len(first.functions) > 300


def test_an_export_adds_to_its_own_table_alone() -> None:
    """A translation of one network's is none of the next one's."""
    import torch

    with registry.kept():
        first = _table()
        first.register_op(torch.ops.aten.relu.default, lambda self: self)
        assert len(first.functions["aten::relu"]) == len(_table().functions["aten::relu"]) + 1


def test_a_library_that_brings_operators_is_seen() -> None:
    """torchvision's translations are there once it is imported, though a network was exported before."""
    import torch

    make: Any = torch.library.Library
    with registry.kept():
        before = _table()
        library = make("edgefn_registry_test", "DEF")
        library.define("nothing(Tensor x) -> Tensor")
        after = _table()
    assert before.functions["aten::relu"][0] is not after.functions["aten::relu"][0]


def test_what_is_asked_beyond_the_domain_is_parsed() -> None:
    """The signature of a function is PyTorch's where something asks for the rest of it."""
    from onnxscript.function_libs.torch_lib.registration import default_registry

    function = default_registry["aten::relu"].overloads[0]
    wanted = function.function_ir
    with registry.kept():
        found = function.function_ir
        assert (found.domain, found.name, str(found.inputs)) == (wanted.domain, wanted.name, str(wanted.inputs))
