"""Which files of the package a file rests on: those that it imports, directly or through others."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def sources(file: Path, but: Callable[[Path], bool] = lambda _file: False) -> set[Path]:
    """The file, and every file of the package that it imports, directly or through others.

    An import counts wherever it stands, but for those of type checkers. What a file finds by its name as it runs
    (`importlib.import_module`) does not: whoever asks for it by its name counts it.

    Args:
        but: files that do not count, nor what they import.
    """
    found: set[Path] = set()
    waiting = [file.resolve()]
    while waiting:
        if (file := waiting.pop()) not in found:
            found.add(file)
            waiting += [each for each in _imported(file) if not but(each)]
    return found


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """The files of the package that a file names in an import."""
    modules: list[Path] = []  # and packages, without a suffix
    named: list[Path] = []
    for node in _imports(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            named += [PACKAGE.parent.joinpath(*alias.name.split(".")) for alias in node.names]
        else:
            start = file.parents[node.level - 1] if node.level else PACKAGE.parent
            modules.append(start.joinpath(*(node.module or "").split(".")))
            # What is imported from a package may be a module of it.
            named += [modules[-1] / alias.name for alias in node.names]
    files = [each for path in (*modules, *named) for each in (path.with_name(f"{path.name}.py"), path / "__init__.py")]
    return tuple(each for each in files if each.is_relative_to(PACKAGE) and each.is_file())


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a module that are carried out when it is loaded, or later."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
        elif not isinstance(node, ast.expr):
            waiting += ast.iter_child_nodes(node)
