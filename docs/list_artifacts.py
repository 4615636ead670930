"""Writes docs/artifacts.md, the list of all artifacts, from their rows: `python docs/list_artifacts.py`."""

from __future__ import annotations

from pathlib import Path

from niftyformer_assets.artifacts import Artifact, Read, artifacts, phase_of
from niftyformer_assets.settings import PROJECT
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder, Workspace

PAGE = PROJECT / "docs" / "artifacts.md"
HEAD = """\
# Artifacts

What there is, in the order in which it is made. Written by `python docs/list_artifacts.py` from the rows in
`niftyformer_assets/artifacts/`; what an artifact *means*, and how look-ahead is excluded, is in
[the method](method.md).

Paths are below `data/WORKSPACE/`; of an experiment below its `experiments/NAME/`, of a study below its `studies/NAME/`.
*Job* is what makes it in the web UI. What is in brackets is read by the settings of some experiments only.
"""


def page() -> str:
    """The page as text."""
    rows = artifacts()
    lines = [HEAD]
    for group in dict.fromkeys(row.group for row in rows.values()):
        lines += [f"## {group}", "", "| artifact | one for | job | files | made from |", "|---|---|---|---|---|"]
        lines += [
            f"| `{row.name}` | {_one_for(row)} | `{phase_of(row, rows)}` | {_files(row)} | {_made_from(row)} |"
            for row in rows.values()
            if row.group == group
        ]
        lines.append("")
        for row in rows.values():
            if row.group == group:
                lines += [f"**`{row.name}`.** {row.words}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _one_for(row: Artifact) -> str:
    return "the workspace" if row.scope == "workspace" else f"each {row.scope}"


def _files(row: Artifact) -> str:
    root = Path("/")
    places = {"experiment": ExperimentFolder(root), "study": StudyFolder(root)}
    place = places.get(row.scope, Workspace(root, "."))
    return ", ".join(f"`{path.relative_to(root)}`" for path in row.files(place))


def _made_from(row: Artifact) -> str:
    names = [read.artifact for read in row.reads]
    # One that is named twice is read in either case, for the one thing or for the other.
    always = {
        read.artifact
        for read in row.reads
        if read.where is Read._field_defaults["where"] or names.count(read.artifact) > 1
    }
    return ", ".join(f"`{name}`" if name in always else f"[`{name}`]" for name in row.may_read) or "–"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
