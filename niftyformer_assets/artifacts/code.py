"""The version of the code that makes an artifact.

What counts is what decides on the artifact's files, or on the figures and tables that its metadata shows: the module
with the asset's body, and what it imports, directly or through others. No list says so for each artifact; one list
says what counts for none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from niftyformer_assets.imports import PACKAGE, sources
from niftyformer_assets.store.provenance import code_version

BODIES = PACKAGE / "defs" / "bodies"
# Packages and modules that do not count, nor what they alone import, and why.
NOT_COUNTED = {
    "artifacts": "what an artifact is made from: settings and inputs are recorded themselves",
    "defs": "how Dagster is told, the bodies apart",
    "settings.py": "where things lie and who answers: what comes of it is an input",
    "experiments/experiment.py": "the settings, recorded themselves",
    "experiments/reading.py": "how a file is read; the settings in it are recorded themselves",
    "store": "how files are read and written",
    "web.py": "how a server is asked",
    "require.py": "refuses, and decides nothing",
    "portfolio/backtest/places.py": "refuses, and decides nothing",
    "words.py": "words",
    "pictures.py": "how pictures look",
    "market/pictures.py": "pictures beside an artifact",
    "factors/pictures.py": "pictures beside an artifact",
    "model/pictures.py": "pictures beside an artifact",
    "report_server.py": "the addresses of pages",
    "imports.py": "this version",
}


@cache
def code_of(body: str) -> str:
    """The version of the code behind a module of `defs/bodies`, as 12 hex digits."""
    return code_version(*modules_of(body))


def modules_of(body: str) -> list[str]:
    """The modules behind a module of `defs/bodies`, as paths below the package."""
    return sorted(_name(file) for file in sources(BODIES / f"{body}.py", but=_is_not_counted))


def _is_not_counted(file: Path) -> bool:
    name = _name(file)
    return not file.is_relative_to(BODIES) and any(name == out or name.startswith(f"{out}/") for out in NOT_COUNTED)


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()
