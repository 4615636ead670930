"""The experiment in use trained anew: the same settings, a later window, and held beside the old one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.sensors import request_retraining
from niftyformer_assets.defs.partitions import read_partitions
from niftyformer_assets.experiments.files import experiments_of_files, load_experiments
from niftyformer_assets.experiments.reading import experiment_of
from niftyformer_assets.experiments.retraining import (
    beside_the_one_in_use,
    moved,
    retrained_name,
    retrained_text,
    retraining_due,
)
from niftyformer_assets.market.split import Period, SplitByDate, SplitByRatio
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence.succession import Side, compare
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.settings import PROJECT, Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, failure_of
from niftyformer_assets_tests.portfolio.markets import plain_market

OLDER = TINY_EXPERIMENT.replace("2022-09-30", "2022-08-31").replace("2022-10-01", "2022-09-01")
OLDER = (
    OLDER.replace("2022-11-15", "2022-10-15").replace("2022-11-16", "2022-10-16").replace("2022-12-31", "2022-11-30")
)


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("end", "before", "months"),
    [
        ("2023-12-31", "2024-06-01", 5),
        ("2023-12-29", "2024-06-01", 5),  # a part that ends before its month does
        ("2023-11-30", "2024-03-01", 3),
        ("2023-11-30", "2024-02-29", 2),
        ("2024-05-15", "2024-06-14", 0),
        ("2024-05-15", "2024-06-16", 1),
        ("2024-05-31", "2024-06-01", 0),
        ("2024-07-31", "2024-06-01", 0),
    ],
)
def test_a_window_moves_by_whole_months_and_keeps_its_length(end: str, before: str, months: int) -> None:
    parts = SplitByDate(
        Period(day("2020-01-01"), day("2022-12-31")),
        Period(day("2023-01-01"), day("2023-02-28")),
        Period(day("2023-03-01"), day(end)),
    )
    of = moved(parts, day(before))
    if not months:
        assert of is None
        return
    assert isinstance(of, SplitByDate) and of.test.end < day(before)
    at = {2: "2020-03-01", 3: "2020-04-01", 5: "2020-06-01", 1: "2020-02-01"}[months]
    assert of.train.start == day(at)
    # No part overlaps another or leaves a month between.
    assert (of.validation.start - of.train.end).days == (of.test.start - of.validation.end).days == 1
    ratio = moved(SplitByRatio(day("2020-01-01"), day(end), (0.6, 0.2, 0.2)), day(before))
    assert isinstance(ratio, SplitByRatio) and (ratio.start, ratio.end) == (day(at), of.test.end)


def test_the_file_of_a_retraining_is_the_same_experiment_but_for_its_sessions(tmp_path: Path) -> None:
    compared = 0
    for used in load_experiments(PROJECT / "data" / "experiments").values():
        sessions = moved(used.sessions, day("2040-01-01"))
        assert sessions is not None
        path = tmp_path / f"{retrained_name(used.name, '2040-01')}.yaml"
        path.write_text(retrained_text(used, sessions))
        again = experiment_of(path, path.read_text(), "{}")
        assert again == used.model_copy(update={"name": path.stem, "sessions": sessions})
        compared += 1
    assert compared >= 3


def test_a_retraining_of_a_retraining_is_called_as_the_first() -> None:
    assert retrained_name("mine", "2024-06") == "mine-retrained-2024-06"
    assert retrained_name("mine-retrained-2024-06", "2024-07") == "mine-retrained-2024-07"


FREE = CostSettings(schedule="flat", flat_bps=0.0)


def side(name: str, values: np.ndarray, market: object) -> Side:
    scores = Scores(market.axes, values)  # type: ignore[attr-defined]
    return Side(name, scores, scores, market, StrategySettings(top_k=3, rebalance_every=1), FREE, 0)  # type: ignore[arg-type]


def test_who_is_worse_beyond_chance_is_not_proposed() -> None:
    rng = np.random.default_rng(3)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (120, 20)), axis=0)))
    ahead = np.zeros(market.axes.shape)
    ahead[:-2] = market.close[2:] / market.close[1:-1] - 1
    noise = rng.normal(0, 0.001, ahead.shape)
    knows, errs = side("knows", ahead + noise, market), side("errs", noise - ahead, market)
    worse = compare(errs, knows)
    assert not worse.passed and not worse.defect
    assert "errs is not proposed: it ranks worse and earns less than knows, beyond chance." in worse.sentence
    better = compare(knows, errs)
    assert better.passed and better.figures["retraining"] == "knows"
    assert "set NIFTYFORMER_SIGNAL_EXPERIMENT=knows" in better.sentence
    same = compare(knows, replace(knows, name="twin"))
    assert same.passed and "nan" not in same.sentence and same.figures["rank_ic_difference"] == 0.0
    short = market.rows(slice(0, 6))
    assert "too few" in compare(side("a", noise[:6], short), side("b", ahead[:6], short)).sentence


@pytest.fixture
def settings(graph: Graph, tmp_path: Path) -> Settings:
    """A copy of everything that was made, with an experiment in use that was trained earlier."""
    shutil.copytree(graph.settings.data, tmp_path / "data")
    shutil.copytree(graph.settings.experiments, tmp_path / "experiments")
    (tmp_path / "experiments" / "older.yaml").write_text(OLDER)
    given = {"data": tmp_path / "data", "experiments": tmp_path / "experiments", "signal_experiment": "older"}
    return graph.settings.model_copy(update=given)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def test_a_month_has_one_retraining_which_runs_once_its_file_is_known(settings: Settings) -> None:
    stale = read_partitions(settings)
    said = request_retraining(settings, stale)
    path = settings.experiments / "older-retrained-2023-01.yaml"
    assert isinstance(said, dg.SkipReason) and str(path) in (said.skip_message or "")
    written = path.read_bytes()
    now = request_retraining(settings, read_partitions(settings))
    assert isinstance(now, dg.RunRequest)
    assert (now.run_key, now.partition_key) == ("older-retrained-2023-01", "older-retrained-2023-01")
    assert path.read_bytes() == written
    tests = experiments_of_files(settings)["older-retrained-2023-01"].sessions
    assert isinstance(tests, SplitByDate) and tests.test == Period(day("2022-11-16"), day("2022-12-31"))
    # Once it is in use there is nothing to do before the month is over.
    in_use = settings.model_copy(update={"signal_experiment": "older-retrained-2023-01"})
    assert isinstance(request_retraining(in_use, read_partitions(in_use)), dg.SkipReason)
    for given, why in (("tiny", "is the latest before 2023-01 already"), (None, "set NIFTYFORMER_SIGNAL_EXPERIMENT")):
        with pytest.raises(NiftyFormerError, match=why):
            retraining_due(settings.model_copy(update={"signal_experiment": given}))


def test_the_new_one_is_held_beside_the_one_in_use_on_what_both_saw_out_of_sample(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert "has no predictions" in beside_the_one_in_use(settings, "tiny").sentence
    job = build(settings).resolve_job_def("experiment")
    result = job.execute_in_process(instance=instance, partition_key="older", raise_on_error=False)
    assert result.success, failure_of(result)
    (found,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "beside_the_model_in_use"]
    assert found.passed and found.description == "older is the experiment in use."
    beside = beside_the_one_in_use(settings, "tiny")
    # tiny's test part and what came after, without the last sessions, of which no prediction is known to be one.
    said = "On 50 sessions from 2022-11-14 to 2023-01-20 that both saw out of sample"
    assert beside.figures["sessions"] == 50 and said in beside.sentence
    assert ("tiny is proposed in place of older" in beside.sentence) == beside.passed
    other = settings.model_copy(update={"signal_experiment": "tiny"})
    assert "was trained no later" in beside_the_one_in_use(other, "older").sentence
    misspelt = beside_the_one_in_use(settings.model_copy(update={"signal_experiment": "tinny"}), "tiny")
    assert not misspelt.passed and not misspelt.defect and "there is no experiment 'tinny'" in misspelt.sentence
    (settings.experiments / "other.yaml").write_text(TINY_EXPERIMENT.replace("top_k: 3", "top_k: 4"))
    assert "it is no retraining" in beside_the_one_in_use(settings, "other").sentence
