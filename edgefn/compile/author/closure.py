"""Which source a module-level name depends on, read from the syntax tree: nothing is imported or run.

The closure of a name is its statement, the statements that bind the names those use, transitively, and the
folder's own modules that they import, whole. So a change to the handler leaves the closure of the model's builder
as it was. Where the source is too clever to tell (exec, globals(), import *), the closure is the whole module:
one rebuild too many costs seconds, one too few serves the wrong model.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from edgefn.bundle.sources import NO_PACKAGES, Packages, package_files

QUIET = {"edge_function", "edge_model", "match", "lru_cache", "cache", "cached_property", "dataclass", "contextmanager"}
QUIET |= {"wraps", "njit", "jit", "no_grad", "inference_mode", "overload", "total_ordering", "singledispatch"}
"""Decorators that put what they decorate nowhere; others may register it, for whoever looks it up by a name."""

_IMPORTERS = {"import_module", "__import__"}
"""Functions that import the module that their first argument names."""

TOO_CLEVER = {"eval", "exec", "globals", "locals", "vars", "__import__", "importlib", "setattr"}


@dataclass
class Closure:
    """Source that a result depends on: statements and modules by hash, and other distributions' packages by name.

    `files` are the modules that were looked at, `variables` the names of environment variables that they read.
    """

    parts: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)

    def digest(self) -> str:
        """Hash the parts and the current values of the variables.

        Positions, comments and formatting do not change the hash.
        """
        values = [f"{name}={os.environ.get(name)!r}" for name in sorted(self.variables)]
        return hashlib.sha256("\n".join([*sorted(self.parts), *values]).encode()).hexdigest()


def closure_of(module: Path, name: str, folder: Path, packages: Packages = NO_PACKAGES) -> Closure:
    """Find the closure of `name` in the file `module`.

    The function's own modules are those in `folder` and in the shared `packages`.
    """
    found = Closure()
    statements = _needed(_parse(module), name)
    for statement in statements:
        found.parts.add(_dump(statement))
    _follow_imports(statements, folder, packages, found, seen={module})
    found.files.add(module)
    return found


def follow(modules: Iterable[Path], folder: Path, packages: Packages = NO_PACKAGES) -> Closure:
    """Find the imports of `modules`: the folder's own modules, whole, and other distributions' packages."""
    found = Closure()
    for module in modules:
        _follow_imports([_parse(module)], folder, packages, found, seen={module})
    return found


def imported(modules: Iterable[Path], packages: Packages) -> dict[str, Path]:
    """Return those of the shared `packages` that `modules` import, or that such a package imports, by name."""
    waiting, found = list(modules), dict[str, Path]()
    while waiting:
        for name in _imported([_parse(waiting.pop())]) & (packages.keys() - found.keys()):
            found[name] = packages[name]
            waiting += [path for _, path in package_files(packages[name]) if path.suffix == ".py"]
    return dict(sorted(found.items()))


def _parse(module: Path) -> ast.Module:
    """Parse the module.

    Return a tree that holds only its bytes when this version of Python cannot parse it.
    """
    source = module.read_bytes()
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):  # importing it says so; what does not import it does not care
        return ast.Module([ast.Expr(ast.Constant(source))], [])


def _needed(tree: ast.Module, name: str) -> list[ast.stmt]:
    """Return the statements that `name` needs; all statements where this is undecidable."""
    bound: dict[str, list[ast.stmt]] = {}
    body = [part for statement in tree.body for part in _one_import_each(statement)]
    needed = [statement for statement in body if _acts(statement)]
    for statement in body:
        for target in _binds(statement):
            bound.setdefault(target, []).append(statement)
    if name not in bound or "*" in bound:
        return tree.body
    wanted, known = [name, *_names(needed)], set[str]()
    while wanted:
        current = wanted.pop()
        if current in TOO_CLEVER:
            return tree.body
        if current not in known:
            known.add(current)
            statements = bound.get(current, [])
            needed += statements
            wanted += _names(statements)
    return needed


def _one_import_each(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Split `from a import b, c` into two statements.

    So one more import for the handler does not change the closure of the builder.
    """
    if isinstance(statement, ast.Import):
        yield from (ast.Import([alias]) for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield from (ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names)
    else:
        yield statement


def _acts(statement: ast.stmt) -> bool:
    """Tell whether a statement has a side effect: `torch.set_default_dtype(...)`, `@register("resnet")`."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return any(_last(decorator) not in QUIET for decorator in statement.decorator_list)
    return isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant)


def _last(decorator: ast.expr) -> str:
    """Return a decorator's own name: "cache" of `@functools.cache` and of `@cache(maxsize=1)`."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _binds(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a module-level statement binds or changes, also inside compound statements."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _names([node])


def _names(nodes: Iterable[ast.AST]) -> list[str]:
    """List every name that occurs in `nodes`, and every package that they import."""
    found = []
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                found.append(node.id)
            elif isinstance(node, ast.Import):
                found += [alias.name.split(".")[0] for alias in node.names]
    return found


def _variables(roots: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the environment variables that `roots` read by name.

    These forms are found: os.environ["A"], os.environ.get("A"), "A" in os.environ, os.getenv("A"); as "get" also
    "setdefault" and "pop".
    """
    for node in (one for root in roots for one in ast.walk(root)):
        match node:
            case ast.Subscript(value=read, slice=ast.Constant(value=str(name))):
                pass
            case ast.Call(func=ast.Attribute(value=read, attr="get" | "setdefault" | "pop"), args=[first, *_]) if (
                isinstance(first, ast.Constant) and isinstance(first.value, str)
            ):
                name = first.value
            case ast.Call(func=read, args=[ast.Constant(value=str(name)), *_]) if _last(read) == "getenv":
                yield name
                continue
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[read]):
                pass
            case _:
                continue
        if _last(read) == "environ":
            yield name


def _follow_imports(
    roots: Sequence[ast.AST], folder: Path, packages: Packages, found: Closure, seen: set[Path]
) -> None:
    found.variables |= set(_variables(roots))
    for package in _imported(roots):
        if package in sys.stdlib_module_names or package == "edgefn":
            continue
        own = own_modules(package, folder, packages)
        if not own:
            found.packages.add(package)
        for path in own:
            if path not in seen:
                seen.add(path)
                found.files.add(path)
                tree = _parse(path)
                found.parts.add(f"{path.name} {_dump(tree)}")
                _follow_imports([tree], folder, packages, found, seen)


def _imported(roots: Iterable[ast.AST]) -> set[str]:
    packages: set[str] = set()
    for root in roots:
        for node in ast.walk(root):
            if isinstance(node, ast.Import):
                packages |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                packages.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and _last(node) in _IMPORTERS and node.args:
                match node.args[0]:
                    case ast.Constant(value=str(name)):
                        packages.add(name.split(".")[0])
    return packages - {""}


def own_modules(package: str, folder: Path, packages: Packages = NO_PACKAGES) -> list[Path]:
    """List the source files of `package` unless an installed distribution owns it.

    Such a package is in `folder`, is one of the shared `packages`, or was put on sys.path by hand or by an editable
    install. Sorted; empty for a package that is installed or missing.
    """
    if package in packages:
        return [path for _, path in package_files(packages[package]) if path.suffix == ".py"]
    spec = PathFinder.find_spec(package, [str(folder), *sys.path]) or _editable(package)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return []
    origin = Path(spec.origin)
    if {"site-packages", "dist-packages"} & set(origin.parts):
        return []
    return sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]


def _editable(package: str) -> ModuleSpec | None:
    """Find `package` through the finders of editable installs, which are on no path."""
    finders = (finder for finder in sys.meta_path if finder is not PathFinder)
    found = (finder.find_spec(package, None) for finder in finders if hasattr(finder, "find_spec"))
    return next((spec for spec in found if spec is not None), None)


def _dump(node: ast.AST) -> str:
    return ast.dump(node, annotate_fields=False, include_attributes=False)
