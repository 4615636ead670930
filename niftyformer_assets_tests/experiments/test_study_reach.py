"""A study whose windows are not among the candles, or whose members nobody knows, is refused by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from niftyformer_assets.experiments.files import begin, find_study
from niftyformer_assets.experiments.study_reach import require_portfolios, require_reach, require_reach_of
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.universe import COLUMNS, save_universe
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.store.arrays import Axes, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError

BASE = """\
sessions:
  train: {start: 2022-01-01, end: 2022-08-31}
  validation: {start: 2022-09-01, end: 2022-10-31}
  test: {start: 2022-11-01, end: 2022-12-31}
"""
# 2022-03-31 to 2022-12-30, a Friday.
FIRST, LAST = date(2022, 3, 31), date(2022, 12, 30)
SHORT = {"first_test": "2022-11-01", "train_months": 5, "validation_months": 1, "test_months": 1}


def workspace(
    folder: Path, first: date = FIRST, last: date = LAST, lists_from: str = "2020-01-01", market: str = "real"
) -> Settings:
    """A workspace with the index of a panel, and a universe of one stock."""
    for name in ("experiments", "studies"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "experiments" / "base.yaml").write_text(f"market: {market}\n{BASE}")
    settings = read_settings(
        _env_file=None,
        experiments=folder / "experiments",
        data=folder / "data",
        workspace_name="nifty200" if market == "real" else "demo",
    )
    axes = Axes(sessions(first, last), ("AAA",))
    save_arrays(settings.workspace.market_panel, {"close": np.ones(axes.shape)}, axes, {"close": "TN"})
    row = dict.fromkeys(COLUMNS, "") | {"symbol": "AAA", "index": "nifty200", "quality": "list"}
    row |= {name: pd.Timestamp(lists_from) for name in ("member_from", "lists_from")} | {"member_to": pd.NaT}
    save_universe(settings.workspace.universe, pd.DataFrame([row]))
    return settings


def check(settings: Settings, **content: Any) -> None:
    path = settings.studies / "wf.yaml"
    path.write_text(yaml.safe_dump({"experiment": "base"} | content))
    require_reach(find_study(settings, "wf"), settings)


@pytest.mark.parametrize(
    ("first", "last", "content", "reason"),
    [
        # A test part that begins among the candles and ends after them.
        (
            FIRST,
            LAST,
            {"walk_forward": SHORT | {"windows": 3}},
            r"wf\.2023-01 .* from 2023-01-01 to 2023-01-31, and can",
        ),
        (
            FIRST,
            date(2022, 12, 29),
            {"walk_forward": SHORT | {"windows": 2}},
            r"wf\.2022-12 .* reach from .* 2022-12-29",
        ),
        (
            FIRST,
            date(2022, 12, 1),
            {"walk_forward": SHORT | {"windows": 2}},
            r"wf\.2022-12 trains from .* to 2022-12-31",
        ),
        (FIRST, date(2022, 12, 29), {"walk_forward": SHORT | {"windows": 2, "training": "expanding"}}, r"wf\.2022-12"),
        (
            date(2021, 12, 1),
            date(2022, 12, 29),
            {"seeds": 2},
            r"wf trains from 2022-01-01 .* to 2022-12-31, and candles",
        ),
        # One that begins before them, in each kind of window.
        (FIRST, LAST, {"walk_forward": SHORT | {"train_months": 7}}, r"wf\.2022-11 trains from 2022-03-01"),
        (date(2022, 5, 4), LAST, {"walk_forward": SHORT}, r"wf\.2022-11 trains from 2022-05-01"),
        (FIRST, LAST, {"grid": {"model.layers": [1, 2]}}, r"wf\.1 trains from 2022-01-01"),
        (FIRST, LAST, {"walk_forward": SHORT | {"first_test": "2031-01-01", "windows": 1}}, r"wf\.2031-01 trains"),
        (FIRST, LAST, {"walk_forward": SHORT | {"first_test": "2001-01-01"}}, r"wf\.2001-01 trains from 2000-07-01"),
        (FIRST, LAST, {"walk_forward": SHORT | {"first_test": "2022-12-05"}}, "has no window whose test part is over"),
    ],
)
def test_a_window_outside_the_candles_is_named(
    tmp_path: Path, first: date, last: date, content: dict[str, Any], reason: str
) -> None:
    settings = workspace(tmp_path, first, last)
    with pytest.raises(NiftyFormerError, match=reason) as caught:
        check(settings, **content)
    assert "\n" not in str(caught.value)


def test_a_split_by_shares_is_held_against_the_candles_too(tmp_path: Path) -> None:
    settings = workspace(tmp_path)
    path = settings.experiments / "base.yaml"
    for start, end in (("2022-03-30", "2022-12-31"), ("2022-04-01", "2023-01-02")):
        path.write_text(f"market: real\nsessions: {{start: {start}, end: {end}, ratio: [0.6, 0.2, 0.2]}}\n")
        with pytest.raises(
            NiftyFormerError, match=f"wf has the sessions from {start} to {end}, and candles .* set sess"
        ):
            check(settings)
    path.write_text("market: real\nsessions: {start: 2022-03-31, end: 2023-01-01, ratio: [0.6, 0.2, 0.2]}\n")
    check(settings)


def test_windows_still_to_come_are_planned_later_and_days_without_trading_are_not_missed(tmp_path: Path) -> None:
    # Until the last session of November, and the first of May after a holiday (Eid, 2022-05-03) and a weekend.
    settings = workspace(tmp_path, date(2022, 5, 2), date(2022, 11, 30))
    check(settings, walk_forward=SHORT)
    assert list(find_study(settings, "wf").experiments) == ["wf.2022-11"]
    # A month that ends with a holiday (2023-03-30) and a session; one that ends with Good Friday (2024-03-29).
    settings = workspace(tmp_path, date(2022, 9, 1), date(2024, 3, 28))
    check(settings, walk_forward=SHORT | {"first_test": "2024-03-01", "windows": 1})
    settings = workspace(tmp_path, date(2022, 9, 1), date(2024, 3, 27))
    with pytest.raises(NiftyFormerError, match=r"wf\.2024-03"):
        check(settings, walk_forward=SHORT | {"first_test": "2024-03-01", "windows": 1})


@pytest.mark.parametrize(
    ("membership", "lists_from", "refused"),
    [
        # Training is from 2022-05-01 (its first session is 2022-05-02) through 2022-09-30.
        ("training_start", "2022-05-02", None),
        ("training_start", "2022-05-03", r"as of 2022-05-02 \(universe\.membership: training_start\)"),
        ("training_end", "2022-09-30", None),
        (
            "training_end",
            "2022-10-01",
            r"wf\.2022-11: members of the NIFTY-200 are asked for as of 2022-09-30 .* 2022-10-01",
        ),
        ("each_session", "2022-05-03", "as of 2022-05-02"),
        ("each_session", "2022-05-01", None),
    ],
)
def test_lists_that_do_not_reach_back_to_a_window_refuse_the_study(
    tmp_path: Path, membership: str, lists_from: str, refused: str | None
) -> None:
    content = {"walk_forward": SHORT, "set": {"universe.membership": membership}}
    settings = workspace(tmp_path, lists_from=lists_from)
    if refused is None:
        check(settings, **content)
        return
    with pytest.raises(NiftyFormerError, match=refused):
        check(settings, **content)
    # Stocks that are drawn need no list, but the candles of a year before.
    drawn = {"set": {"universe.membership": membership, "universe.most_traded": 5}, "walk_forward": SHORT}
    with pytest.raises(NiftyFormerError, match=r"wf\.2022-11: .*of which 0 sessions are at hand and 60 are needed"):
        check(settings, **drawn)
    check(workspace(tmp_path, date(2021, 9, 1), lists_from=lists_from), **drawn)
    # Nobody leaves a made-up index.
    made_up = workspace(tmp_path, lists_from=lists_from, market="simulated")
    check(made_up, **content)


def test_an_index_without_a_list_is_refused_once_it_could_have_been_fetched(tmp_path: Path) -> None:
    settings = workspace(tmp_path)
    content = {"walk_forward": SHORT, "set": {"universe.index": "nifty500"}}
    check(settings, **content)
    begin(settings, find_study(settings, "wf"))
    with pytest.raises(NiftyFormerError, match=r"wf\.2022-11: no list of the NIFTY-500 is at hand"):
        check(settings, **content)


def test_an_experiment_is_refused_for_its_study_and_no_other(tmp_path: Path) -> None:
    settings = workspace(tmp_path)
    (settings.studies / "wf.yaml").write_text(
        yaml.safe_dump({"experiment": "base", "walk_forward": SHORT | {"windows": 3}})
    )
    for name in ("wf.2022-11", "wf.2023-01"):
        with pytest.raises(NiftyFormerError, match=r"wf\.2023-01 trains"):
            require_reach_of(settings, name)
    require_reach_of(settings, "base")
    settings.workspace.market_panel.unlink()
    require_reach_of(settings, "wf.2022-11")  # without candles nothing can be said yet


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ({"grid": {"strategy.top_k": [5, 6]}}, None),
        ({"grid": {"strategy.top_k": ["50%", 7]}}, r"wf\.7: strategy\.top_k is 7, but the universe has 6 stocks"),
        ({"grid": {"strategy.capital": [1e6, 400.0]}, "set": {"strategy.top_k": 5}}, r"wf\.400\.0: strategy\.capital"),
        (
            {"walk_forward": SHORT | {"windows": 2}, "set": {"universe.most_traded": 4, "strategy.top_k": 5}},
            r"wf\.2022-11: strategy\.top_k is 5, but the universe has 4 stocks",
        ),
        # The stock that is listed later is in the second window's universe alone.
        (
            {"walk_forward": SHORT | {"windows": 2}, "set": {"strategy.top_k": 7}},
            r"wf\.2022-11: strategy\.top_k is 7, but the universe has 6 stocks",
        ),
        ({"walk_forward": SHORT | {"first_test": "2022-12-01", "windows": 1}, "set": {"strategy.top_k": 7}}, None),
    ],
)
def test_a_portfolio_that_cannot_be_filled_refuses_the_study(
    tmp_path: Path, content: dict[str, Any], refused: str | None
) -> None:
    settings = workspace(tmp_path)
    axes = Axes(sessions(date(2021, 9, 1), LAST), tuple("ABCDEFG"))
    close = np.full(axes.shape, 100.0)
    close[axes.dates < np.datetime64("2022-07-11"), 6] = np.nan
    panel = {"close": close, "volume": np.where(np.isfinite(close), 1000.0, np.nan)}
    save_arrays(settings.workspace.market_panel, panel, axes, dict.fromkeys(panel, "TN"))
    row = dict.fromkeys(COLUMNS, "") | {"index": "nifty200", "quality": "list", "member_to": pd.NaT}
    row |= {name: pd.Timestamp("2020-01-01") for name in ("member_from", "lists_from")}
    save_universe(settings.workspace.universe, pd.DataFrame([row | {"symbol": name} for name in axes.symbols]))
    study = {"set": {}} | content
    study["set"] = {"universe.min_training_sessions": 60, "universe.max_missing_share": 0.5} | study["set"]
    check(settings, **study)
    if refused is None:
        require_portfolios(find_study(settings, "wf"), settings)
        return
    with pytest.raises(NiftyFormerError, match=refused):
        require_portfolios(find_study(settings, "wf"), settings)
