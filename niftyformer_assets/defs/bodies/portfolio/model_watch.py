"""The watch as an asset: what the signals were worth so far beside the backtest, and the factors beside training."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.exposures import read_exposures
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.experiments.traded import traded_market
from niftyformer_assets.factors.neutralize import read_neutralized
from niftyformer_assets.model.predictions import read_predictions, traded
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.backtest.scoring import predictions_to_trade
from niftyformer_assets.portfolio.report.pictures.watch import watch_picture
from niftyformer_assets.portfolio.watch.checks import WORDS, alive
from niftyformer_assets.portfolio.watch.drift import drift
from niftyformer_assets.portfolio.watch.figures import FIGURES, figures_of, turnover_of, turnover_of_signal
from niftyformer_assets.portfolio.watch.sequence import Watched, watched
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_notes, read_parquet, write_parquet
from niftyformer_assets.store.workspace import Workspace

NEEDED = ("symbol", "ranked_score", "p_up", "close", "order_value", "target_shares", "target_weight")


def watch_model(settings: Settings, fitting: Fitting) -> Made:
    """Watch the experiment in use: its signals that were given by the model of the newest one."""
    for reason in fitting.others.values():
        raise NiftyFormerError(f"no watch: {reason}")
    (experiment,) = fitting.experiments.values()
    workspace = settings.workspace
    opened = open_experiment(workspace, experiment)
    market = traded_market(opened)
    signals = signals_of(workspace, experiment.name)
    live = live_figures(signals, market, experiment.strategy.trade_at)
    before = backtest_figures(opened, market, first_signal=min(signals, default=None))
    seen = {name: watched(live[name].to_numpy(), before[name].to_numpy(), len(FIGURES)) for name in FIGURES}
    factors, _ = read_neutralized(opened.folder, opened.axes)
    drifted = drift(factors.result, factors.valid, factors.names, opened.scope.split.train)
    age = len(opened.axes.dates) - opened.scope.split.train.stop
    finding = alive(seen, drifted, age)
    rows = pd.concat([_rows(name, of, live) for name, of in seen.items()], ignore_index=True)
    write_parquet(workspace.model_watch, rows)
    said = {"passed": finding.passed, "sentence": finding.sentence, "figures": dict(finding.figures)}
    write_parquet(workspace.model_drift, drifted.table, {"finding": json.dumps(said)})
    pictured = {WORDS[name]: rows[rows["figure"] == name] for name in FIGURES}
    drawn = watch_picture(
        {name: of["session"].to_numpy() for name, of in pictured.items()},
        {
            name: {column: of[column].to_numpy() for column in ("mean", "low", "high", "outside")}
            | {"values": of["value"].to_numpy(), "backtest": np.array(seen[key].before or (np.nan, np.nan))}
            for (name, of), key in zip(pictured.items(), FIGURES, strict=True)
        },
    )
    return Made(
        {
            "dagster/row_count": len(rows),
            "in_words": finding.sentence,
            "signals": len(signals),
            "sessions_since_training": age,
            "share_missing": float(drifted.table["missing"].mean()),
            "factors_drifted": int(drifted.table["drifted"].sum()),
            "figures": picture(drawn, "rank IC, hit rate and turnover of the signals beside the backtest's"),
            "factors": table(drifted.table, limit=30),
        },
        settings={"experiment": experiment.name},
    )


def signals_of(workspace: Workspace, experiment: str) -> dict[str, pd.DataFrame]:
    """The signals of an experiment by their sessions, of the model that gave the newest."""
    found: dict[str, tuple[str, pd.DataFrame]] = {}
    for path in sorted(workspace.signals.glob("*.parquet")):
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
    exposures = None
    if experiment.strategy.neutralise:
        exposures = read_exposures(opened.workspace, experiment, opened.panel_axes).on(opened.axes)
    scores = predictions_to_trade(predictions, market.axes, opened.scope, exposures, experiment.strategy)
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


def _rows(name: str, of: Watched, live: pd.DataFrame) -> pd.DataFrame:
    there = live.loc[np.isfinite(live[name]), "session"]
    low, high = of.before or (np.nan, np.nan)
    return pd.DataFrame(
        {
            "session": there.to_numpy(),
            "figure": name,
            "value": of.given,
            "mean": of.mean,
            "low": of.low,
            "high": of.high,
            "backtest_low": low,
            "backtest_high": high,
            "outside": of.below | of.above,
        }
    )
