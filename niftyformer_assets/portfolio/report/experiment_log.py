"""The log of experiments: a row for each that is finished, to look back on.

Columns: experiment, study (empty for one with a file of its own), finished (UTC), train and test (first and last
session), differs (the settings that differ from the published ones), verdict, rank_ic, rank_ic_t,
excess_return_equal_weight, sharpe, sharpe_low, sharpe_high, model, device, seconds (that making it took, what was
taken over aside), taken_over (how many of its artifacts were), code (version of the model's code).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd

from niftyformer_assets.portfolio.names import MODEL
from niftyformer_assets.portfolio.report.files import METRICS, of_another_version, read_metrics
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError
from niftyformer_assets.store.given import read_given_json
from niftyformer_assets.store.index import read_json
from niftyformer_assets.store.provenance import read_provenance
from niftyformer_assets.store.workspace import ExperimentFolder

FIGURES = ("rank_ic", "excess_return_equal_weight", "sharpe")
COLUMNS = (
    *("experiment", "study", "finished", "train", "test", "differs", "verdict"),
    *("rank_ic", "rank_ic_t", "excess_return_equal_weight", "sharpe", "sharpe_low", "sharpe_high"),
    *("model", "device", "seconds", "taken_over", "code"),
)


def experiment_log(
    folders: Mapping[str, ExperimentFolder], study_of: Mapping[str, str], differs: Mapping[str, Mapping[str, Any]]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """A row for each experiment that has a report, the last one finished first, and why others have none.

    Args:
        differs: by experiment the settings that differ from the published ones, as `section.key` -> value.

    Returns:
        a table with the columns `COLUMNS`; and by experiment why it has no row.
    """
    rows: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for name, folder in folders.items():
        try:
            rows.append({"experiment": name, "study": study_of.get(name, ""), **_row(folder, differs.get(name, {}))})
        except NiftyFormerError as error:
            left_out[name] = str(error)
        except UNREADABLE as error:
            left_out[name] = str(of_another_version(folder.root, error))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["finished", "experiment"], ascending=[False, True], ignore_index=True), left_out


def _row(folder: ExperimentFolder, differs: Mapping[str, Any]) -> dict[str, Any]:
    metrics = read_metrics(folder.backtest)
    record = read_provenance(folder.provenance, "trained_model")
    split = read_json(folder.settings).get("split", {})
    notes = [note for note in _notes(folder.notes).values() if isinstance(note, dict)]
    took = [note["seconds"] for note in notes if isinstance(note.get("seconds"), float | int)]
    of_model = {
        figure["metric"]: figure
        for figure in metrics["figures"]
        if figure["name"] == MODEL and figure["metric"] in FIGURES
    }

    def figure(name: str, column: str) -> float:
        value = of_model.get(name, {}).get(column)
        return math.nan if value is None else float(value)

    finished = datetime.fromtimestamp((folder.backtest / METRICS).stat().st_mtime, timezone.utc)
    return {
        "finished": f"{finished:%Y-%m-%d %H:%M}",
        **{part: " to ".join(split.get(part, ())) for part in ("train", "test")},
        "differs": ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(differs.items())),
        "verdict": metrics["verdict"][0],
        "rank_ic": figure("rank_ic", "value"),
        "rank_ic_t": figure("rank_ic", "t"),
        "excess_return_equal_weight": figure("excess_return_equal_weight", "value"),
        **{
            f"sharpe{end}": figure("sharpe", column)
            for end, column in (("", "value"), ("_low", "low"), ("_high", "high"))
        },
        "model": "" if record is None else record.settings.get("model", {}).get("name", ""),
        "device": next((str(note["device"]) for note in notes if "device" in note), ""),
        "seconds": sum(took) if took else math.nan,
        "taken_over": sum("taken_over" in note for note in notes),
        "code": "" if record is None else record.code,
    }


def _notes(path: Path) -> dict[str, Any]:
    """How long artifacts took to make, and on what; nothing where that is not known."""
    try:
        return read_given_json(path)
    except (NiftyFormerError, OSError, ValueError):
        return {}
