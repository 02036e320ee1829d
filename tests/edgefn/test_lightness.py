"""What `import edgefn` must not load, and the names it gives, in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgefn

HEAVY = ("numpy", "PIL", "torch", "starlette", "uvicorn", "onnxruntime", "msgspec")


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_import_edgefn_loads_nothing_heavy() -> None:
    """`import edgefn` alone loads none of the heavy packages, not even msgspec."""
    assert not _loaded_by("import edgefn") & set(HEAVY)


@pytest.mark.parametrize(
    "statement",
    [
        "from edgefn import Image, InputError, edge_function, edge_model, tensor",
        "from edgefn import edge_function; edge_function(type(lambda: 0)((lambda n: n).__code__, {}, 'f')) if 0 else 0",
        "import edgefn.api.routes",
        "import edgefn.codec.request.signature, edgefn.codec.result.results, edgefn.function, edgefn.model",
    ],
)
def test_decorators_load_no_framework(statement: str) -> None:
    """The SDK itself needs msgspec and nothing else from outside the standard library."""
    assert not _loaded_by(statement) & (set(HEAVY) - {"msgspec"})


def test_serving_a_number_loads_no_numpy() -> None:
    """Decoding and encoding plain values touches neither NumPy nor Pillow."""
    statement = (
        "from edgefn.codec.request.signature import Request, Signature; "
        "from edgefn.codec.result.results import encode; "
        "f = lambda n: n; f.__annotations__ = {'n': int, 'return': int}; s = Signature.of(f); "
        "assert encode(s.decode(Request('application/json', b'{\"n\": 1}'))['n'], s.result)[1] == b'1'"
    )
    assert not _loaded_by(statement) & (set(HEAVY) - {"msgspec"})


def test_every_exported_name_resolves() -> None:
    """Each name of __all__ is there, is listed by dir(), and an unknown one is an AttributeError."""
    for name in edgefn.__all__:
        assert getattr(edgefn, name) is not None
        assert name in dir(edgefn)
    assert edgefn.__version__[0].isdecimal()
    with pytest.raises(AttributeError, match="no attribute 'edge_functions'"):
        _ = edgefn.edge_functions  # type: ignore[attr-defined]
