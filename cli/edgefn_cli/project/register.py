"""A new function's entry in edgefn.toml, a file that people wrote: all of its text stays."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from edgefn.errors import InputError, SpecError
from edgefn.project import FILE_NAME, Project
from edgefn.system.durable import replace_file


@dataclass(frozen=True)
class ProjectEntry:
    """`file` as it will be with the function's entry. Nothing is written before `write`."""

    file: Path
    text: str

    @classmethod
    def of(cls, folder: Path) -> ProjectEntry:
        """Make the entry of a function's folder, which need not exist yet, in its project or a new one.

        Raises SpecError when the project has a function of that name, or the entry does not fit its file.
        """
        project = _project_of(folder)
        if folder.name in project.functions:
            known = project.functions[folder.name]
            raise SpecError(f"{project.file} has a function {folder.name} already, in {known}: choose another name")
        if folder.name in project.packages:
            raise SpecError(f"{project.file} has a shared package {folder.name}: choose another name for the function")
        file = project.file or project.root / FILE_NAME
        before = file.read_text(encoding="utf-8") if project.file else f"[project]\nname = {_quoted(project.name)}\n"
        path = _quoted(_below(folder, file.parent))
        after = f"{before.rstrip()}\n\n[functions.{folder.name}]\npath = {path}\n"
        try:
            tomllib.loads(after)
        except tomllib.TOMLDecodeError as error:
            by_hand = f"add by hand, in the form it has: {folder.name} = {{ path = {path} }}"
            raise SpecError(f"{file} writes [functions] in another form ({error}): {by_hand}") from error
        return cls(file, after)

    def write(self) -> None:
        """Write the entry to the file, synced. Raises InputError or DiskFull when it cannot."""
        try:
            replace_file(self.file, [self.text.encode()])
        except OSError as error:
            raise InputError(f"{self.file} cannot be written: {error.strerror}") from error


def _project_of(folder: Path) -> Project:
    """Return the project around `folder`.

    Where there is none, it is a new one at the working directory, if `folder` is below.
    """
    standing = next(parent for parent in folder.parents if parent.is_dir())
    project, here = Project.find(standing), Path.cwd()
    return Project(here, here.name or "project") if project.file is None and folder.is_relative_to(here) else project


def _below(folder: Path, root: Path) -> str:
    """Return `folder` as edgefn.toml names it: relative to the file where it can be."""
    folder, root = folder.resolve(), root.resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def _quoted(text: str) -> str:
    """Return `text` as a TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
