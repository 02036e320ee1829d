"""A captured program compiled by AOTInductor and g++ to a shared library, with the instructions of a profile.

The library holds the weights. It is taken out of the package that torch makes of it: a package is unpacked into a
temporary folder each time that it is loaded. Beside it lies the list of the operators that the library calls in torch
because inductor has no code for them, e.g. a Fourier transform's. Nothing is left in torch's cache of compiled code.

Source: https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html
"""

from __future__ import annotations

import logging
import shlex
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch._inductor.utils

from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.compile.lower.aotinductor.instructions import Instructions

COMPILER = "g++"


def compile_library(program: torch.export.ExportedProgram, chosen: Instructions, library: Path, what: str) -> None:
    """Compile the program to the shared library `library`. Raise BuildError that begins with `what`."""
    if shutil.which(COMPILER) is None:
        raise BuildError(f"{what}: aotinductor needs a C++ compiler, and there is no {COMPILER}: apt-get install g++")
    with tempfile.TemporaryDirectory(prefix="edgefn-aotinductor-") as folder, _quiet(folder):
        package, compiler = Path(folder) / "model.pt2", _compiler(Path(folder))
        try:
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(package), inductor_configs=_configuration(chosen, compiler)
            )
        except Exception as error:  # inductor wraps what its passes and the compiler raise in classes of its own
            raise BuildError(f"{what}: aotinductor does not compile it: {_brief(error)}") from error
        _take_out(package, library)


def _compiler(folder: Path) -> Path:
    """Return a g++ whose libraries hold no path of `folder` and no symbols: the same program gives the same bytes."""
    wrapper = folder / COMPILER
    flags = f"-ffile-prefix-map={shlex.quote(str(folder))}=. -Wl,-s,--build-id=none"
    wrapper.write_text(f'#!/bin/sh\nexec {COMPILER} {flags} "$@"\n')
    wrapper.chmod(0o700)
    return wrapper


def _configuration(chosen: Instructions, compiler: Path) -> dict[str, Any]:
    return {
        "cpp.cxx": (None, str(compiler)),
        "cpp.march": chosen.march,
        "cpp.simdlen": chosen.simdlen,
        # Else the build machine's cores are written into the code; the box says at load on how many it runs.
        "cpp.dynamic_threads": True,
        # The profile has them, and this machine too: nothing to try out with the compiler first.
        "cpp.vec_isa_ok": True,
        # They are for the next compilation, whose cache is another folder.
        "aot_inductor.precompile_headers": False,
        "aot_inductor.enable_line_tables": False,
        "aot_inductor.enable_frame_pointer": False,
        # The compiler is a process of its own already; more of them are workers that outlive the call.
        "compile_threads": 1,
        # Packed weights have the layout that oneDNN likes best on the build machine.
        "freezing": False,
    }


def _take_out(package: Path, library: Path) -> None:
    """Copy the library, and its list of operators where it has one.

    The runner reads `NAME.json` beside `NAME.so`.
    """
    library.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package) as members:
        names = members.namelist()
        (name,) = (one for one in names if one.endswith(".so"))
        _copy(members, name, library)
        if (listed := f"{name.removesuffix('.so')}.json") in names:
            _copy(members, listed, library.with_suffix(".json"))


def _copy(members: zipfile.ZipFile, name: str, path: Path) -> None:
    with members.open(name) as source, path.open("wb") as copy:
        shutil.copyfileobj(source, copy)


def _brief(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "Error:" in line]
    return (telling or lines or [type(error).__name__])[0].strip()


@contextmanager
def _quiet(folder: str) -> Iterator[None]:
    """Let torch cache into `folder` meanwhile, and hide its deprecations and notes; errors are raised."""
    logger = logging.getLogger("torch._inductor")
    level = logger.level
    with warnings.catch_warnings(), torch._inductor.utils.fresh_cache(dir=folder):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
