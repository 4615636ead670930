"""What is watched of an experiment in use: its signals as they were given, and its backtest before the first one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.experiments.traded import traded_scores
from niftyformer_assets.model.predictions import read_predictions, traded
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.watch.figures import figures_of, turnover_of, turnover_of_signal
from niftyformer_assets.store.provenance import must_be_as_recorded, must_have_record
from niftyformer_assets.store.tables import read_notes, read_parquet
from niftyformer_assets.store.workspace import Workspace

NEEDED = ("symbol", "ranked_score", "p_up", "close", "order_value", "target_shares", "target_weight")


def signals_of(workspace: Workspace, experiment: str) -> dict[str, pd.DataFrame]:
    """The signals of an experiment by their sessions, of the model that gave the newest."""
    found: dict[str, tuple[str, pd.DataFrame]] = {}
    paths = sorted(workspace.signals.glob("*.parquet"))
    if paths:
        must_be_as_recorded(workspace.provenance, must_have_record(workspace.provenance, "daily_signals"), paths)
    for path in paths:
        made_of = json.loads(read_notes(path).get("made_of", "{}"))
        if made_of.get("experiment") == experiment:
            found[path.stem] = (str(made_of.get("model_fingerprint")), read_parquet(path, NEEDED))
    newest = found[max(found)][0] if found else None
    return {day: said for day, (model, said) in found.items() if model == newest}


def live_figures(signals: dict[str, pd.DataFrame], market: Market, trade_at: str) -> pd.DataFrame:
    """`figures_of` the signals, a row for each whose first session of earning is over."""
    values, up = (np.full(market.axes.shape, np.nan) for _ in range(2))
    turnover = np.full(len(market.axes.dates), np.nan)
    place = {str(day): t for t, day in enumerate(market.axes.dates)}
    for day, said in signals.items():
        if day in place:
            of = said.set_index("symbol").reindex(list(market.axes.symbols))
            values[place[day]], up[place[day]] = of["ranked_score"], of["p_up"]
            turnover[place[day]] = turnover_of_signal(said)
    figures = figures_of(Scores(market.axes, values), up, turnover, market, trade_at)
    given = figures["session"].dt.strftime("%Y-%m-%d").isin([*signals]).to_numpy()
    return figures[given & figures["hit_rate"].notna()].reset_index(drop=True)


def backtest_figures(opened: OpenedExperiment, market: Market, first_signal: str | None) -> pd.DataFrame:
    """`figures_of` the test sessions before the first signal."""
    experiment, dates = opened.experiment, opened.axes.dates
    predictions = read_predictions(opened.folder.predictions)
    scores = traded_scores(opened, predictions, market.axes)
    rows = traded(predictions)
    by_session = rows.set_index([pd.to_datetime(rows["date_made"]), "symbol"])["p_up"]
    cells = pd.MultiIndex.from_product([pd.DatetimeIndex(market.axes.dates), list(market.axes.symbols)])
    up = by_session.reindex(cells).to_numpy(dtype=float).reshape(market.axes.shape)
    whole = run_backtest(scores, market, experiment.strategy, experiment.costs, experiment.seed)
    figures = figures_of(scores, up, turnover_of(whole), market, experiment.strategy.trade_at)
    end = np.datetime64(dates[opened.scope.split.test.stop - 1])
    if first_signal is not None:
        end = min(end, np.datetime64(first_signal, "D") - np.timedelta64(1, "D"))
    return figures[(market.axes.dates <= end) & figures["hit_rate"].notna().to_numpy()].reset_index(drop=True)
