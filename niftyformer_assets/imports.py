"""Which files of the package a file rests on: those that it imports, directly or through others."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent


def sources(file: Path, but: Callable[[Path], bool] = lambda _file: False) -> set[Path]:
    """The file, and every file of the package that it imports, directly or through others.

    An import counts wherever it stands, but for those of type checkers; `load_all` of a package counts as importing all
    of its modules. What a file finds by its name as it runs (`import_module`, `load_each`) does not: whoever asks for
    it by its name counts it.

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


def load_all(package: ModuleType) -> None:
    """Import every module of a package, for what they register; the file that asks rests on them all."""
    load_each(package)


def load_each(package: ModuleType) -> None:
    """Import every module of a package, for what they register; on which of them a file rests it says itself."""
    for name in sorted(each.name for each in iter_modules(package.__path__)):
        import_module(f"{package.__name__}.{name}")


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """The files of the package that a file names in an import."""
    modules: list[Path] = []  # and packages, without a suffix
    named: list[Path] = []
    tree = ast.parse(file.read_bytes())
    for node in _imports(tree):
        if isinstance(node, ast.Import):
            named += [PACKAGE.parent.joinpath(*alias.name.split(".")) for alias in node.names]
        else:
            start = file.parents[node.level - 1] if node.level else PACKAGE.parent
            modules.append(start.joinpath(*(node.module or "").split(".")))
            # What is imported from a package may be a module of it.
            named += [modules[-1] / alias.name for alias in node.names]
    files = [each for path in (*modules, *named) for each in (path.with_name(f"{path.name}.py"), path / "__init__.py")]
    loaded = _loaded_whole(tree)
    files += [each for path in named if path.name in loaded for each in path.glob("*.py")]
    return tuple(each for each in files if each.is_relative_to(PACKAGE) and each.is_file())


def _loaded_whole(tree: ast.Module) -> set[str]:
    """The names of packages that a module gives to `load_all`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        argument.id
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == load_all.__name__
        for argument in call.args
        if isinstance(argument, ast.Name)
    }


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
