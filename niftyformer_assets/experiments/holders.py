"""Which experiments of a workspace have an artifact that was made from the same, with the same settings and code."""

from __future__ import annotations

from pathlib import Path

from niftyformer_assets.settings import NAME
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.given import read_regular
from niftyformer_assets.store.provenance import Provenance
from niftyformer_assets.store.workspace import Workspace

_MOST_BYTES = 1 << 20


def remember(workspace: Workspace, record: Provenance, experiment: str) -> None:
    """From now on others may take over what an experiment has; to be called where nobody else makes it."""
    note = workspace.made(record.asset, record.fingerprint)
    known = holders_of(note)
    # Without those that are gone, or that a damaged note made up.
    now = [name for name in known if workspace.experiment(name).root.is_dir()]
    if experiment not in now:
        now.append(experiment)
    if now != known:
        write_text(note, "".join(f"{name}\n" for name in now))


def holders_of(note: Path) -> list[str]:
    """The experiments that a note of the workspace (`Workspace.made`) names, its maker first; some have it no more."""
    try:
        names = read_regular(note, _MOST_BYTES).decode("utf-8").split()
    except (OSError, ValueError):
        return []
    return [name for name in names if NAME.fullmatch(name)]
