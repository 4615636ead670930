"""Rows of `portfolio`: the report of an experiment, those of studies, the comparison of all, and their log."""

from __future__ import annotations

from pathlib import Path

from niftyformer_assets.artifacts.model import embedding_of_traded
from niftyformer_assets.artifacts.rows import SCOPE, Artifact, Read, row
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.portfolio.names import SECTOR, SIZE
from niftyformer_assets.store.workspace import Workspace


def each_network(workspace: Workspace, experiment: Experiment | None) -> tuple[Path, ...]:
    """What the networks of an experiment's model predict each by itself, where there are several."""
    if experiment is None or experiment.networks == 1:
        return ()
    return (workspace.experiment(experiment.name).network_predictions,)


def portfolio_rows(factor_sets: tuple[str, ...]) -> tuple[Artifact, ...]:
    exposures = tuple(
        Read(f"{name}_panel", lambda of, name=name: bool(of.exposed_to) and of.factors.factor_set == name)  # type: ignore[misc]
        for name in factor_sets
    )
    return (
        row(
            "backtest_report",
            "experiment",
            lambda place: (place.backtest / "report.html", place.backtest),
            "portfolio/backtest",
            {"html", "parquet"},
            "What the predictions would have earned, from `predictions`, `baseline_predictions` and `market_panel`: "
            "scores of the close of a session, traded at the next one, in whole shares, with Zerodha's charges.\n\n"
            "`backtest/report.html`: the verdict in words first; beside it net asset value (rupees), trades, holdings "
            "and metrics as tables.",
            reads=(
                *("predictions", "baseline_predictions", "returns", "benchmark_index", *SCOPE),
                *("sector_dummies", "size_proxy", "data_quality_report"),
                *exposures,
            ),
            sections=lambda _experiment: None,
            # How many variants were tried is said in the report too.
            also=lambda workspace, of: (workspace.tries, *each_network(workspace, of)),
            read_as=lambda place: (place.backtest / "metrics.json",),
        ),
        row(
            "study_predictions",
            "study",
            lambda place: (place.predictions, place.contenders),
            "portfolio/study_predictions",
            {"parquet"},
            "The scores of a study's windows joined to one series for each model, seed, ensemble and baseline.\n\n"
            "`study_predictions.parquet`: a row a series, session and stock; the window whose test part holds the "
            "session made the score. `contenders.json`: who takes part. Windows that are not there yet are named.",
            reads=("predictions", "baseline_predictions", *SCOPE),
            read_as=lambda place: (place.predictions, place.contenders),
        ),
        row(
            "study_report",
            "study",
            lambda place: (place.report / "study.html", place.report),
            "portfolio/study_report",
            {"html", "parquet"},
            "What a study proves: all windows together, traded as one continuous portfolio, each model and baseline "
            "on the same sessions.\n\n"
            "`report/study.html`: the verdict in words first; beside it figures, curves and `study.json`.",
            reads=("study_predictions", "benchmark_index", *SCOPE, "sector_dummies", "size_proxy", *exposures),
            # How many variants were tried is said in the report too.
            also=lambda workspace, _experiment: (workspace.tries,),
        ),
        row(
            "daily_signals",
            "workspace",
            lambda place: (place.signals,),
            "portfolio/daily_signals",
            {"parquet"},
            "What the experiment in use (`NIFTYFORMER_SIGNAL_EXPERIMENT`) would hold after the next session, from its "
            "`predictions` of the newest one: score, rank, probability, orders and target holdings by exactly the "
            "strategy of its backtest, whose account goes on day by day, and what changed since the signal before.\n\n"
            "`signals/DATE.parquet`: a row a stock; in its metadata what it was made of. No signal is given where "
            "candles of the newest session are missing, the universe or the graph is not the model's, factors are not "
            "as in training, the model is too old or says the same of all stocks; the signals before stay as they are. "
            "Nothing is ordered anywhere.",
            reads=(
                *("predictions", "trained_model", "neutralized_factors", *SCOPE),
                embedding_of_traded(),
                Read("sector_dummies", lambda of: SECTOR in of.strategy.neutralise),
                Read("size_proxy", lambda of: SIZE in of.strategy.neutralise),
                *exposures,
            ),
            of_one_in_use=True,
        ),
        row(
            "paper_account",
            "workspace",
            lambda place: (place.paper_account,),
            "portfolio/paper_account",
            {"jsonl"},
            "What the signals would have earned since the first run of this asset: an account that follows "
            "`daily_signals` at the prices that came (the next session's open or close, as the strategy says), with "
            "Zerodha's charges, by the engine of the backtest.\n\n"
            "`paper_account.jsonl`: a row for each trade, action of a holding (split, bonus), corrected close and "
            "valuation, each sealed with the row before and the signal that it follows. Rows are only added. The head "
            "of the chain stands in each materialization, and a ledger that does not hold those of all before is "
            "refused.",
            reads=("daily_signals", *SCOPE),
            of_one_in_use=True,
        ),
        row(
            "model_watch",
            "workspace",
            lambda place: (place.model_watch, place.model_drift),
            "portfolio/model_watch",
            {"parquet"},
            "Is the model in use still alive? Rank IC, hit rate and turnover of its `daily_signals` whose returns are "
            "known, beside those of its test sessions, by a test that may be looked at every day; the distribution of "
            "each factor beside training (population stability index), what is missing, and sessions since training."
            "\n\n`model_watch.parquet`: a row a session and figure; `model_drift.parquet`: a row a factor.",
            reads=(
                *("daily_signals", "predictions", "neutralized_factors", *SCOPE),
                Read("sector_dummies", lambda of: "sector" in of.strategy.neutralise),
                Read("size_proxy", lambda of: "size" in of.strategy.neutralise),
                *exposures,
            ),
            of_one_in_use=True,
        ),
        row(
            "order_proposal",
            "workspace",
            lambda place: (place.orders,),
            "portfolio/order_proposal",
            {"html", "csv"},
            "The orders that lead from what a real account holds to the target of `daily_signals`, within the money at "
            "hand: for whoever sets `NIFTYFORMER_ORDERS__HOLDINGS`, to `kite` for the account that is logged in, or to "
            "a CSV file.\n\n"
            "`orders/DATE.html`: each order with its reason, what is left out, what it costs, and a button that opens "
            "Kite's own basket, where a person confirms them; `orders/DATE.csv` beside it. Kite is only read: nothing "
            "is ordered here.",
            reads=("daily_signals", *SCOPE),
        ),
        row(
            "model_comparison",
            "workspace",
            lambda place: (place.comparison_csv, place.comparison_html),
            "portfolio/comparison",
            {"html", "csv"},
            "All experiments and baselines side by side, from every `backtest_report`.\n\n"
            "`comparison.csv` and `comparison.html`: ranked, with intervals; what has not been run, or not as it is "
            "set now, is named.",
            reads=("backtest_report",),
            also=lambda workspace, _experiment: (workspace.tries,),
        ),
        row(
            "experiment_log",
            "workspace",
            lambda place: (place.experiment_log_csv, place.experiment_log_html),
            "portfolio/experiment_log",
            {"html", "csv"},
            "Every finished experiment, those of studies too: what differs from the published setting, its sessions, "
            "headline figures, how long it took and on what, from every `backtest_report`.\n\n"
            "`experiments.csv` and `experiments.html`, which is sorted and filtered without a server. What has not "
            "been run as it is set now is left out.",
            reads=("backtest_report",),
            of_studies=True,
        ),
    )
