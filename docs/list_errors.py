"""Writes docs/errors.md, every refusal that is meant for a person, from the code that makes them.

python docs/list_errors.py
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

from niftyformer_assets.imports import PACKAGE
from niftyformer_assets.settings import PROJECT
from niftyformer_assets.store.errors import NiftyFormerError

PAGE = PROJECT / "docs" / "errors.md"
HEAD = """\
# Errors

What is refused, or could not be done, in one line each, and what to do: by the module that says so. *Italics* stand
for what the line names: a file, a symbol, a session, a setting; what it says at times only is in brackets. In a
terminal the line follows `error:` and the exit status is 1; in the web UI it is the failure's description, and stands
on the page of the partition that is red. Nothing is left half-written by any of them.

Written by `python docs/list_errors.py` from the code. A wrong value of a setting is refused with the setting's name,
and what may stand there is in [settings](settings.md). [The guide](guide.md#when-something-goes-wrong) has the usual
ones.
"""


def page() -> str:
    """The page as text."""
    lines = [HEAD]
    files = sorted(PACKAGE.rglob("*.py"))
    errors = names_of_errors(files)
    for file in files:
        if found := list(dict.fromkeys(messages(file, errors))):
            lines += [f"## {file.relative_to(PACKAGE).as_posix()}", "", *(f"- {message}" for message in found), ""]
    return "\n".join(lines).rstrip() + "\n"


def names_of_errors(files: Sequence[Path]) -> frozenset[str]:
    """The names of the classes of errors for a person: `NiftyFormerError` and what is made of it."""
    made_of = {
        node.name: {_name(base) for base in node.bases}
        for file in files
        for node in ast.walk(_parsed(file))
        if isinstance(node, ast.ClassDef)
    }
    found = {NiftyFormerError.__name__}
    while more := {name for name, bases in made_of.items() if bases & found} - found:
        found |= more
    return frozenset(found)


def messages(file: Path, errors: Collection[str]) -> Iterator[str]:
    """What the errors that a module makes say, as far as it stands in words where they are made."""
    for node in ast.walk(_parsed(file)):
        if not (isinstance(node, ast.Call) and _name(node.func) in errors and node.args):
            continue
        said = " ".join(_said(node.args[0]).split())
        # Without words of its own it passes on what another one says.
        if any(letter.isalpha() for letter in "".join(said.split("*")[::2])):
            yield said if said.endswith((".", "?")) else f"{said}."


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _said(node: ast.expr) -> str:
    """A message in Markdown, with what it names in italics and what it says at times in brackets."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"([\\*<>\[\]])", r"\\\1", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_said(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _said(node.left) + _said(node.right)
    if isinstance(node, ast.FormattedValue):
        return _said(node.value)
    if isinstance(node, ast.IfExp):
        return f"[{' | '.join(text for text in (_said(node.body), _said(node.orelse)) if text)}]"
    return f"*{_named(node)}*"


def _named(node: ast.expr) -> str:
    """What stands for an expression: the last of its names that is no function."""
    names = [_name(each) for each in ast.walk(node) if isinstance(each, ast.Name | ast.Attribute)]
    called = {_name(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
    name = next((name for name in names if name not in called and not hasattr(builtins, name)), "")
    return name.strip("_").replace("_", " ").lower() or "…"


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
