"""No look-ahead in a study: other candles after a window's end change nothing of the record up to there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.experiments.files import begin, find_study
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.sources import simulated_market
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, failure_of, tiny_settings

# The end of the first window.
END = pd.Timestamp("2022-09-30")
STUDY = """\
experiment: tiny
set:
  universe.most_traded: 11
  baselines.names: [ridge, momentum]
  training.max_epochs: 1
  factors.ic_threshold: 0.15
walk_forward: {first_test: 2022-09-01, train_months: 4, validation_months: 1, test_months: 1, windows: 2}
seeds: 2
ensembles:
  mean: {over: [seeds]}
"""
# The window whose end END is, and of the one after it the first seed alone.
FIRST_WINDOW = ("wf.2022-09", "wf.2022-09.seed2")
NEXT = "wf.2022-10"


def replayed(folder: Path, garbled: bool) -> Settings:
    """A folder with the candles of a made-up market, with other prices and volumes after END where `garbled`."""
    made_up = tiny_settings(
        folder / "made_up",
        made_up=MadeUpSettings(stocks=14, late_listings=0),
        made_up_start=date(2021, 8, 2),
        until=date(2022, 11, 30),
    )
    rng = np.random.default_rng(3)
    (candles := folder / "candles").mkdir()
    for symbol, daily in simulated_market(made_up).candles.items():
        table = pd.DataFrame({"Date": daily.dates})
        later = (table["Date"] > END).to_numpy() & garbled
        other = np.exp(np.cumsum(np.where(later, rng.normal(0, 0.03, len(table)), 0.0)))
        for name in ("Open", "High", "Low", "Close"):
            table[name] = np.round(getattr(daily, name.lower()) * other, 2)
        table["Volume"] = np.where(later, rng.integers(1000, 10**6, len(table)), daily.volume)
        table.to_csv(candles / f"{symbol}.csv", index=False)
    places = {name: folder / name for name in ("data", "storage", "experiments")}
    places["experiments"].mkdir()
    (folder / "studies").mkdir()
    (places["experiments"] / "tiny.yaml").write_text(TINY_EXPERIMENT.replace("simulated", "real"))
    (folder / "studies" / "wf.yaml").write_text(STUDY)
    return read_settings(_env_file=None, replay=candles, **places)


def made(settings: Settings, *experiments: str) -> Settings:
    """The predictions of some experiments, and what is joined of them."""
    with dg.DagsterInstance.ephemeral() as instance:
        begin(settings, find_study(settings, "wf"))
        for job in ("reference", "candles", "panels"):
            result = Graph(settings, build(settings), instance).run(job)
            assert result.success, failure_of(result)
        definitions = build(settings)
        for job, key, left_out in (
            *(("experiment", name, "backtest_report") for name in experiments),
            ("study", "wf", "study_report"),
        ):
            of_job = definitions.resolve_job_def(job)
            kept = [asset for asset in of_job.asset_layer.executable_asset_keys if asset != dg.AssetKey(left_out)]
            result = of_job.execute_in_process(
                instance=instance, partition_key=key, asset_selection=kept, raise_on_error=False
            )
            assert result.success, failure_of(result)
    return settings


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Settings]]:
    """With two windows as it was; with the first alone where all after its end is other."""
    folder = tmp_path_factory.mktemp("garbled")
    for name in ("as_it_was", "other"):
        (folder / name).mkdir()
    yield (
        made(replayed(folder / "as_it_was", False), *FIRST_WINDOW, NEXT),
        made(replayed(folder / "other", True), *FIRST_WINDOW),
    )


def joined(settings: Settings) -> pd.DataFrame:
    return read_parquet(settings.workspace.study("wf").predictions)


def test_candles_after_a_windows_end_change_nothing_of_its_predictions(both: tuple[Settings, Settings]) -> None:
    for name in FIRST_WINDOW:
        for artifact in ("predictions", "baseline_predictions"):
            one, other = (read_parquet(getattr(each.workspace.experiment(name), artifact)) for each in both)
            until = [frame[frame["date_made"] <= END].reset_index(drop=True) for frame in (one, other)]
            assert until[0]["date_made"].max() == END
            value = ["date_made", "date_predicted", "horizon", "symbol", "score", "p_up"]
            pd.testing.assert_frame_equal(until[0][value], until[1][value], check_exact=True)
            # After it they are others: the candles were not the same.
            after = [table[table["date_made"] > END]["score"].to_numpy() for table in (one, other)]
            assert len(after[0]) and not np.array_equal(*after)


def test_nor_of_the_joined_record_up_to_there(both: tuple[Settings, Settings]) -> None:
    one, other = map(joined, both)
    until = [frame[frame["date_made"] <= END].reset_index(drop=True) for frame in (one, other)]
    assert set(until[0]["series"]) == {"model", "model, seed 2", "ridge", "momentum", "mean"}
    pd.testing.assert_frame_equal(until[0], until[1], check_exact=True)
    # Another window follows in one of them, and in the other none.
    assert (one["date_made"] > END).any() and not (other["date_made"] > END).any()


def test_an_ensemble_over_seeds_is_of_the_windows_that_all_seeds_have(both: tuple[Settings, Settings]) -> None:
    settings, table = both[0], joined(both[0])
    windows = {name: set(rows["window"]) for name, rows in table.groupby("series")}
    assert windows["model"] == windows["ridge"] == {"2022-09", "2022-10"}
    assert windows["model, seed 2"] == windows["mean"] == {"2022-09"}
    content = json.loads(settings.workspace.study("wf").contenders.read_text())
    assert content["missing"] == ["wf.2022-10.seed2"]
    seeds = []
    for name in FIRST_WINDOW:
        frame = read_parquet(settings.workspace.experiment(name).predictions)
        frame = frame[(frame["horizon"] == 2) & (frame["date_made"] >= "2022-09-01") & (frame["date_made"] <= END)]
        wide = frame.pivot_table(index="date_made", columns="symbol", values="score")
        seeds.append(wide.sub(wide.mean(axis=1), axis=0).div(wide.std(axis=1, ddof=0), axis=0).fillna(0.0))
    assert not np.allclose(seeds[0], seeds[1])
    expected = (seeds[0] + seeds[1]) / 2
    found = table[table["series"] == "mean"].dropna(subset=["score"])
    wide = found.pivot_table(index="date_made", columns="symbol", values="score")
    np.testing.assert_allclose(wide[expected.columns].to_numpy(), expected.to_numpy(), atol=1e-9)
