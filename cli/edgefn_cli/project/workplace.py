"""The project around the working directory, and the functions that the command line names in it.

The one place that turns a PATH or a function's name into an order for the compiler. It reads folders; it must
never build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgefn.errors import InputError
from edgefn.project import Project
from edgefn_cli.project.building import BuildRequest


@dataclass(frozen=True)
class Workplace:
    """A working directory's project: that of the nearest edgefn.toml, or one of defaults without it."""

    project: Project

    @classmethod
    def here(cls) -> Workplace:
        """Find the project of the working directory. Raises SpecError when its edgefn.toml is wrong."""
        return cls(Project.find(Path.cwd()))

    def orders(self, paths: Sequence[Path] | None, *, layout: Path | None = None, **options: Any) -> list[BuildRequest]:
        """Return one order for each of `paths` (names or folders), or for each function of edgefn.toml.

        `options` are as for `order`. Raises SpecError for a path that is no function's folder, and InputError when
        there is nothing to do.
        """
        names = list(map(str, paths or self.project.functions))
        if not names:
            raise InputError(f"there is no edgefn.toml with functions at {self.project.root}: name a function's folder")
        return [self.order(name, layout=layout, **options) for name in names]

    def order(self, name: str, *, layout: Path | None = None, **options: Any) -> BuildRequest:
        """Return the order for one name or folder.

        A folder of another project is built by that project's rules. `options` are those of `BuildRequest` beside its
        paths.
        """
        folder = self.project.function(name)
        project = self.project if name in self.project.functions else Project.find(folder)
        return BuildRequest(
            folder=folder,
            layout=(layout or project.output).resolve(),
            project=project.file,
            packages=project.packages,
            **options,
        )

    def scratch(self, name: str) -> Path:
        """Return a directory of this project for the files of `edgefn dev` while it works on the function."""
        return self.project.root / ".edgefn" / "dev" / name
