"""The paper account as an asset: what is new is added once, and a ledger that was rewritten is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.bodies.portfolio.paper_account import heads
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.experiments.paper import market_since
from niftyformer_assets.experiments.signal import decide_now
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.portfolio.backtest.market import cut_market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scoring import predictions_to_trade
from niftyformer_assets.portfolio.paper.account import account_of
from niftyformer_assets.portfolio.paper.checks import as_it_was
from niftyformer_assets.portfolio.paper.following import PaperRules, follow
from niftyformer_assets.portfolio.paper.ledger import append_rows, read_ledger
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import Axes, load_arrays, save_arrays
from niftyformer_assets.store.index import file_sha256
from niftyformer_assets.store.tables import read_parquet, write_parquet
from niftyformer_assets_tests.conftest import Graph, failure_of
from niftyformer_assets_tests.defs.test_signals import as_if_given, opened_until

PAPER = dg.AssetKey("paper_account")
CHECK = dg.AssetCheckKey(PAPER, "ledger_as_it_was")
DIMS = {"open": "TN", "high": "TN", "low": "TN", "close": "TN", "volume": "TN", "segment": "TN"}


@pytest.fixture
def settings(graph: Graph, tmp_path: Path) -> Settings:
    """A copy of everything that was made, in which no signal was given yet."""
    shutil.copytree(graph.settings.data, tmp_path / "data")
    copied = graph.settings.model_copy(update={"data": tmp_path / "data"})
    shutil.rmtree(copied.workspace.signals)
    copied.workspace.paper_account.unlink()
    return copied


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


class Days:
    """The workspace at the close of one session after another."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = settings, instance
        self.panel, self.axes = load_arrays(settings.workspace.market_panel)
        self.opened = open_experiment(settings.workspace, find_experiment(settings, "tiny"))
        self.predictions = read_predictions(self.opened.folder.predictions)
        self.last = len(self.opened.axes.dates)

    def at(self, stop: int) -> OpenedExperiment:
        """Cut the panel behind the experiment's session `stop` - 1."""
        rows = self.opened.scope.rows.start + stop
        axes = Axes(self.axes.dates[:rows], self.axes.symbols)
        cut = {name: array[:rows] for name, array in self.panel.items()}
        save_arrays(self.settings.workspace.market_panel, cut, axes, {name: DIMS.get(name, "TN") for name in cut})
        return opened_until(self.opened, stop)

    def signal(self, stop: int) -> None:
        so_far = self.predictions[
            pd.to_datetime(self.predictions["date_made"]) <= pd.Timestamp(self.opened.axes.dates[stop - 1])
        ]
        decision = decide_now(opened_until(self.opened, stop), so_far)
        write_parquet(self.settings.workspace.signal(str(decision.session)), decision.table)
        as_if_given(self.settings.workspace)

    def run(self) -> dg.ExecuteInProcessResult:
        job = build(self.settings).resolve_job_def("signal")
        return job.execute_in_process(instance=self.instance, asset_selection=[PAPER], raise_on_error=False)

    def live(self, first: int, stop: int) -> None:
        for at in range(first, stop):
            self.at(at)
            self.signal(at)
            result = self.run()
            assert result.success, failure_of(result)
            (checked,) = result.get_asset_check_evaluations()
            assert checked.passed, checked.description

    @property
    def made(self) -> dict[str, dg.MetadataValue]:
        event = self.instance.get_latest_materialization_event(PAPER)
        assert event is not None and event.asset_materialization is not None
        return dict(event.asset_materialization.metadata)


@pytest.fixture
def days(settings: Settings, instance: dg.DagsterInstance) -> Days:
    return Days(settings, instance)


def test_the_graph_opens_an_account_at_its_signal(graph: Graph) -> None:
    ledger = read_ledger(graph.settings.workspace.paper_account)
    assert [row["kind"] for row in ledger.rows] == ["opening", "rules"]
    signal = graph.settings.workspace.signal("2023-01-20")
    assert {row["signal"] for row in ledger.rows} == {file_sha256(signal)}
    assert ledger.rows[0]["books"] == [100_000_000] and ledger.rows[1]["strategy"]["top_k"] == 3
    assert heads(graph.instance)[-1][0] == ledger.head


def test_day_by_day_it_is_the_backtest_and_each_days_head_is_in_the_log(days: Days) -> None:
    first = days.last - 8
    days.live(first, days.last + 1)
    ledger = read_ledger(days.settings.workspace.paper_account)
    account = account_of(ledger)
    dates = days.opened.axes.dates
    market = cut_market(days.opened.panel, days.opened.scope, dates[first - 1], dates[-1])
    strategy, costs = days.opened.experiment.strategy, days.opened.experiment.costs
    scores = predictions_to_trade(days.predictions, market.axes, days.opened.scope, None, strategy)
    whole = run_backtest(scores, market, strategy, costs, days.opened.experiment.seed)
    assert [*account.navs] == dates[first - 1 :].astype(str).tolist()
    assert [*account.navs.values()] == np.rint(whole.nav * 100).astype(int).tolist()
    assert len(account.shares) == 3 and len(whole.trades) >= 3
    told = heads(days.instance)
    assert len(told) == 9 and told[-1][0] == ledger.head and len({head.rows for head, _ in told}) == 9
    assert all(ledger.rows[head.rows - 1]["seal"] == head.seal for head, _ in told)
    assert days.made["nav_paise"].value == [*account.navs.values()][-1]
    assert "data:image/png" in str(days.made["nav"].value) and "3 stocks held" in str(days.made["in_words"].value)
    decided = {row["decided"] for row in ledger.rows if row["kind"] == "trade"}
    assert decided <= {path.stem for path in days.settings.workspace.signals.glob("*.parquet")} and decided

    before = ledger.path.read_bytes()
    assert days.run().success and ledger.path.read_bytes() == before
    assert "New: nothing." in str(days.made["in_words"].value) and heads(days.instance)[-1][0] == ledger.head


def test_days_that_were_missed_are_made_up_for(days: Days) -> None:
    first = days.last - 6
    days.live(first, first + 1)
    for at in range(first + 1, days.last + 1):
        days.signal(at)
    days.at(days.last)
    assert days.run().success
    account = account_of(read_ledger(days.settings.workspace.paper_account))
    assert [*account.navs] == days.opened.axes.dates[first - 1 :].astype(str).tolist()


def rewritten(days: Days) -> None:
    """Every row sealed anew, with a little more cash from the first on: the chain holds by itself."""
    path = days.settings.workspace.paper_account
    own = ("number", "before", "seal")
    rows = [{k: v for k, v in row.items() if k not in own} for row in read_ledger(path).rows]
    for row in rows:
        if row["kind"] == "opening":
            row["books"] = [row["books"][0] + 1]
        if row["kind"] == "valuation":
            row |= {"cash": row["cash"] + 1, "nav": row["nav"] + 1}
    path.unlink()
    append_rows(read_ledger(path), rows)
    account_of(read_ledger(path))


def checked(days: Days) -> dg.AssetCheckEvaluation:
    """The check alone, as somebody runs it in the web UI."""
    job = build(days.settings).resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection={CHECK})
    (found,) = alone.execute_in_process(instance=days.instance).get_asset_check_evaluations()
    return found


def test_a_ledger_rewritten_as_a_whole_fails_the_check_and_is_not_gone_on_with(days: Days) -> None:
    days.live(days.last - 3, days.last)
    assert checked(days).passed
    rewritten(days)
    found = checked(days)
    assert not found.passed and found.severity == dg.AssetCheckSeverity.ERROR
    assert "the ledger was rewritten up to there: restore the file from a copy" in str(found.description)
    before = days.settings.workspace.paper_account.read_bytes()
    days.at(days.last)
    days.signal(days.last)
    said = failure_of(days.run())
    assert "paper_account.jsonl, row 2 (rules of" in said and "by the materialization of" in said and "\n" not in said
    assert days.settings.workspace.paper_account.read_bytes() == before


def test_one_that_is_gone_is_not_begun_anew_by_itself(days: Days) -> None:
    days.live(days.last - 1, days.last + 1)
    days.settings.workspace.paper_account.unlink()
    said = failure_of(days.run())
    assert "or is not there" in said and "wipe the materializations of paper_account" in said
    assert not days.settings.workspace.paper_account.exists()
    days.instance.wipe_assets([PAPER])
    assert days.run().success
    assert [row["kind"] for row in read_ledger(days.settings.workspace.paper_account).rows] == ["opening", "rules"]


def test_a_signal_that_was_followed_may_not_change(days: Days) -> None:
    days.live(days.last - 2, days.last + 1)
    workspace = days.settings.workspace
    first, second, third = (workspace.signal(str(day)) for day in days.opened.axes.dates[-3:])
    told = heads(days.instance)
    third.write_bytes(third.read_bytes() + b" ")  # nobody has followed it yet
    assert as_it_was(workspace.paper_account, told, workspace.signal).passed
    second.write_bytes(second.read_bytes() + b" ")
    found = as_it_was(workspace.paper_account, told, workspace.signal)
    assert not found.passed and f"{second} is not the signal that the ledger followed" in found.sentence
    second.unlink()
    found = as_it_was(workspace.paper_account, told, workspace.signal)
    assert found.passed and "1 signal of them are not there any more" in found.sentence and first.exists()


def test_a_damaged_signal_is_refused_and_one_that_was_removed_trades_nothing(days: Days) -> None:
    first = days.last - 2
    days.live(first, first + 1)
    days.signal(first + 1)
    days.signal(first + 2)
    days.at(days.last)
    path = days.settings.workspace.signal(str(days.opened.axes.dates[first]))
    path.write_bytes(path.read_bytes()[:-1])
    said = failure_of(days.run())
    assert f"{path} is damaged" in said and "or remove it, and nothing trades on it" in said and "\n" not in said
    path.unlink()
    assert days.run().success
    values = [r for r in read_ledger(days.settings.workspace.paper_account).rows if r["kind"] == "valuation"]
    assert [value["scored"] for value in values] == [True, False]


def test_another_signal_in_a_signals_place_is_refused(days: Days) -> None:
    """With its entry in the index, as where the folder is another workspace's."""
    days.signal(days.last)
    days.at(days.last)
    path = days.settings.workspace.signal(str(days.opened.axes.dates[-1]))
    said = read_parquet(path)
    write_parquet(path, said.assign(close=said["close"] * 2))
    assert f"{path} is not the file that the record of daily_signals describes" in failure_of(days.run())
    assert not days.settings.workspace.paper_account.exists()


def test_without_a_signal_there_is_no_account(days: Days) -> None:
    assert failure_of(days.run()) == "no paper account: no signal has been given yet: materialize daily_signals"


@pytest.mark.parametrize("in_the_panel", [True, False])
def test_what_is_held_outside_the_experiment_is_sold(in_the_panel: bool, days: Days) -> None:
    """At the next session's price where there is one, else as delisted, at the last close."""
    first = days.last - 8
    days.live(first, first + 2)
    account = account_of(read_ledger(days.settings.workspace.paper_account))
    symbol, opened = next(iter(account.shares)), days.opened
    keep = np.array([name != symbol for name in opened.axes.symbols])
    scope = replace(
        opened.scope,
        axes=Axes(opened.axes.dates, tuple(name for name in opened.axes.symbols if name != symbol)),
        member=opened.scope.member[:, keep],
        columns=opened.scope.columns[keep],
    )
    there = np.array([in_the_panel or name != symbol for name in opened.panel_axes.symbols])
    names = tuple(np.array(opened.panel_axes.symbols)[there])
    columns = np.array([names.index(name) for name in scope.axes.symbols])
    panel = {name: array[:, there] for name, array in opened.panel.items()}
    other = replace(
        opened, panel=panel, panel_axes=Axes(opened.panel_axes.dates, names), scope=replace(scope, columns=columns)
    )
    market = market_since(other, account, {})
    assert set(market.axes.symbols) == set(opened.axes.symbols) and market.outside is not None
    place = market.axes.symbols.index(symbol)
    assert market.outside[:, place].all() and market.outside.sum() == len(market.axes.dates)
    experiment = opened.experiment
    rows = follow(account, market, {}, PaperRules("tiny", experiment.strategy, experiment.costs, experiment.seed))
    (sold,) = [row for row in rows if row["kind"] == "trade"]
    assert (sold["symbol"], sold["side"]) == (symbol, "sell")
    assert sold["reason"] == ("outside_universe" if in_the_panel else "delisted")
    assert json.dumps(rows)
