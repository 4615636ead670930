"""The project's folder: where experiments, studies and reference tables lie, and artifacts go.

In a checkout it is the checkout. Of an installed package it is the folder that one is in, or the nearest above, that
`niftyformer init` has laid down.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# What `niftyformer init` lays down, below a project's folder; a wheel holds it in STARTER.
LAID_DOWN = (
    "data/experiments/*.yaml",
    "data/studies/*.yaml",
    "data/reference/README.md",
    "data/reference/budgets_and_elections.csv",
    "data/reference/holidays.csv",
    "data/reference/special_sessions.csv",
    "data/reference/symbol_renames.csv",
    "storage/dagster.yaml",
    "workspace.yaml",
)
STARTER = "starter"
_PACKAGE = Path(__file__).resolve().parent


def is_project(folder: Path) -> bool:
    """Whether a folder was laid down, or is a checkout."""
    return (folder / "data" / "reference" / "holidays.csv").is_file()


def laid_down_from() -> Path:
    """The folder that has what is laid down: in the package where it was installed, else the checkout."""
    starter = _PACKAGE / STARTER
    return starter if starter.is_dir() else _PACKAGE.parent


def files_laid_down(root: Path) -> Iterator[Path]:
    """What is laid down from a folder, as paths below it."""
    for pattern in LAID_DOWN:
        yield from sorted(path.relative_to(root) for path in root.glob(pattern))


def _project() -> Path:
    here = Path.cwd()
    return next((folder for folder in (_PACKAGE.parent, here, *here.parents) if is_project(folder)), here)


PROJECT = _project()
