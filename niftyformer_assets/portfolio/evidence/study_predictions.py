"""The scores of a study: what every contender says, one window after the other, in two files.

`study_predictions.parquet` has a row for each series, session and stock that is a member or has a score:

series     text, whose scores: those of the first contender that has them
window     text, which window made them
date_made  datetime64, the session after whose close they were made
symbol     text
score      float64, NaN where a member has none
member     bool, in the window's universe on the session

`contenders.json` says who takes part, with which series and how its scores are traded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio.evidence.joined import JoinedScores, joined_axes
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError, damaged
from niftyformer_assets.store.index import read_json, write_entered
from niftyformer_assets.store.tables import read_parquet, write_parquet

COLUMNS = ("series", "window", "date_made", "symbol", "score", "member")


def write_contenders(predictions: Path, contenders: Path, made: Sequence[Contender], missing: Sequence[str]) -> int:
    """Write both files.

    Args:
        missing: experiments of the study that have no predictions yet.

    Returns:
        how many rows the table has.
    """
    series: dict[int, str] = {}
    tables, said = [], []
    for contender in made:
        key = id(contender.scores)
        if key not in series:
            series[key] = contender.name
            tables.append(_table(contender.name, contender.scores))
        said.append(
            {
                "name": contender.name,
                "kind": contender.kind,
                "series": series[key],
                "point": dict(contender.point),
                "strategy": asdict(contender.strategy),
                "costs": asdict(contender.costs),
            }
        )
    table = pd.concat(tables, ignore_index=True)
    write_parquet(predictions, table)
    content = {"contenders": said, "missing": list(missing)}
    write_entered(contenders, json.dumps(content, indent=1, default=str) + "\n")
    return len(table)


def read_contenders(predictions: Path, contenders: Path, panel_axes: Axes) -> tuple[list[Contender], tuple[str, ...]]:
    """Who takes part, with scores on the sessions of the market panel, and which experiments are missing.

    Raises:
        NiftyFormerError: a file is missing or damaged, or the panel has other sessions or symbols than the scores.
    """
    content, table = read_json(contenders), read_parquet(predictions, COLUMNS)
    series = {str(name): _joined(rows, panel_axes) for name, rows in table.groupby("series", sort=False)}
    try:
        found = [
            Contender(
                name=each["name"],
                kind=each["kind"],
                scores=series[each["series"]],
                strategy=StrategySettings(**each["strategy"]),
                costs=CostSettings(**each["costs"]),
                point=each["point"],
            )
            for each in content["contenders"]
        ]
        return found, tuple(content["missing"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(contenders, error) from error


def _table(name: str, joined: JoinedScores) -> pd.DataFrame:
    session, stock = np.nonzero((joined.member | np.isfinite(joined.score)) & (joined.window >= 0)[:, None])
    windows = np.array(joined.names, dtype=object)[joined.window[session]]
    return pd.DataFrame(
        {
            "series": name,
            "window": windows.astype(str),
            "date_made": joined.axes.dates[session].astype("datetime64[ns]"),
            "symbol": np.array(joined.axes.symbols)[stock],
            "score": joined.score[session, stock],
            "member": joined.member[session, stock],
        }
    )


def _joined(rows: pd.DataFrame, panel_axes: Axes) -> JoinedScores:
    made = rows["date_made"].to_numpy().astype("datetime64[D]")
    symbols = tuple(sorted(rows["symbol"].unique()))
    axes = joined_axes(panel_axes, made.min(), made.max(), symbols)
    session = np.searchsorted(axes.dates, made)
    if (strange := axes.dates[np.minimum(session, len(axes.dates) - 1)] != made).any():
        raise NiftyFormerError(
            f"scores were made on {made[strange][0]}, which is no session of the market panel: materialize "
            "study_predictions again."
        )
    if unknown := set(symbols) - set(panel_axes.symbols):
        raise NiftyFormerError(
            f"scores name {min(unknown)}, which is not in the market panel: materialize study_predictions again."
        )
    stock = pd.Index(symbols).get_indexer(pd.Index(rows["symbol"]))
    names = tuple(dict.fromkeys(rows["window"]))
    place = {name: number for number, name in enumerate(names)}
    score, member = np.full(axes.shape, np.nan), np.zeros(axes.shape, dtype=bool)
    window = np.full(len(axes.dates), -1)
    score[session, stock], member[session, stock] = rows["score"], rows["member"]
    window[session] = rows["window"].map(place)
    return JoinedScores(axes, score, member, window, names)
