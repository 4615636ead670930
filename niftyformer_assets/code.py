"""The version of the code that makes something: an artifact, or a model.

What counts is what decides on an artifact's files, or on the figures and tables that its metadata shows: the module
with the asset's body, and what it imports, directly or through others. No list says so for each artifact; one list
says what counts for none. Of what is found by its name, as models are, the version is told apart: it counts where it
is asked for.
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
    "experiments/files.py": "how experiments and studies are found; what they say is recorded itself",
    "factors/registry.py": "which factor sets there are: the code of each counts where its panel is made",
    "model/trained_things.py": "how a model is fitted: counts with the models that an experiment names",
    "store": "how files are read and written",
    "project.py": "where things lie",
    "web.py": "how a server is asked",
    "require.py": "refuses, and decides nothing",
    "portfolio/backtest/places.py": "refuses, and decides nothing",
    "registering.py": "refuses, and decides nothing",
    "market/reading.py": "refuses, and decides nothing",
    "words.py": "words",
    "pictures.py": "how pictures look",
    "market/pictures.py": "pictures beside an artifact",
    "factors/pictures.py": "pictures beside an artifact",
    "model/pictures.py": "pictures beside an artifact",
    "report_server.py": "the addresses of pages",
    "imports.py": "this version",
    "code.py": "this version",
}


@cache
def code_of(*files: Path) -> str:
    """The version of the code behind some modules, themselves included, as 12 hex digits."""
    return code_version(*modules_of(*files))


def modules_of(*files: Path) -> list[str]:
    """The modules behind some modules, themselves included, as paths below the package."""
    return sorted({_name(each) for file in files for each in sources(file, but=_is_not_counted)})


def body_file(body: str) -> Path:
    """The file of a module of `defs/bodies`, `package/module`."""
    return BODIES / f"{body}.py"


def _is_not_counted(file: Path) -> bool:
    name = _name(file)
    return not file.is_relative_to(BODIES) and any(name == out or name.startswith(f"{out}/") for out in NOT_COUNTED)


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else str(file)
