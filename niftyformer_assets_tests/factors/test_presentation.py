"""The documentation, the pictures and the tables behind the asset checks."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.factors import pictures
from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.factors.alpha360 import alpha360
from niftyformer_assets.factors.catalogue import ALPHA158, ALPHA360
from niftyformer_assets.factors.checks import (
    constant_factors,
    implausible_values,
    infinite_values,
    missing_share,
    thin_sessions,
)
from niftyformer_assets.factors.labels import Outcomes
from niftyformer_assets.factors.nse93.catalogue import NSE93
from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.factors.selection import FactorSelection, select_factors
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets_tests.factors.panels import made_up_panel, real_panel
from niftyformer_assets_tests.shared_data import ROOT

DOCS = ROOT / "docs" / "factors.md"


def test_the_documented_table_is_the_generated_one() -> None:
    found = importlib.util.spec_from_file_location("list_factors", DOCS.parent / "list_factors.py")
    assert found is not None and found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    text = DOCS.read_text(encoding="utf-8")
    assert all(f"| {name} |" in script.table() for name in ALPHA158)
    assert all(f"| {name} |" in script.table_93() for name in NSE93)
    assert script.table() in text and script.table_93() in text
    assert text == script.page(), "write it again: python docs/list_factors.py"


def test_the_documented_example_works() -> None:
    """The example of an own factor in the documentation is the one in own.py, word for word."""
    example = DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    code = (ROOT / "niftyformer_assets" / "factors" / "own.py").read_text(encoding="utf-8")
    assert example.strip() in code


@pytest.fixture(scope="module")
def selection() -> tuple[FactorSelection, np.ndarray]:
    random = np.random.default_rng(0)
    factors = random.normal(size=(5, 50, 30)).astype(np.float32)
    returns = random.normal(size=(50, 30))
    returns[1:] += factors[0, :-1] + factors[1, :-1]
    split = Split(slice(0, 30), slice(30, 40), slice(40, 50), slice(50, 50))
    size, settings = np.full((50, 30), 12.0), FactorSettings(ic_threshold=0.2)
    return select_factors(factors, ALPHA158[:5], Outcomes(returns), size, ["X"] * 30, split, settings), factors


def test_pictures_are_png(selection: tuple[FactorSelection, np.ndarray]) -> None:
    chosen, factors = selection
    dates = np.datetime64("2022-01-03") + np.arange(50)
    drawn = (
        pictures.ic_ranking(chosen),
        pictures.cumulative_ic(chosen, dates, slice(0, 30)),
        pictures.factor_correlations(factors[:2], ALPHA158[:2], slice(0, 30)),
    )
    for picture in drawn:
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5000
    assert pictures.ic_ranking(chosen) == drawn[0]


def test_correlations_of_factors() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(20, 40))
    together = pictures.average_rank_correlation(np.stack([x, np.exp(x), -x, random.normal(size=x.shape)]))
    np.testing.assert_allclose(together[0, :3], [1, 1, -1])
    assert abs(together[0, 3]) < 0.1


def test_ties_and_constants_are_no_correlation() -> None:
    random = np.random.default_rng(0)
    up, down = random.integers(0, 2, (2, 200, 40)).astype(float)
    steady = np.where(np.arange(200)[:, None] < 50, up, 1.0)  # constant from the 51st session on
    together = pictures.average_rank_correlation(np.stack([up, down, steady, np.ones(up.shape)]))
    assert abs(together[0, 1]) < 0.05
    assert together[0, 0] == pytest.approx(1) and together[0, 2] == pytest.approx(1)
    assert np.isnan(together[3]).all()
    first = pd.DataFrame({"up": up[0], "down": down[0]}).corr("spearman").iloc[0, 1]
    assert pictures.average_rank_correlation(np.stack([up[:1], down[:1]]))[0, 1] == pytest.approx(first)


def test_the_picture_shows_the_one_rank_correlation() -> None:
    """That of the stocks that have all factors; a session without any says nothing."""
    random = np.random.default_rng(0)
    factors = random.integers(0, 6, (3, 12, 15)).astype(float)
    factors[1, 2, 4] = np.nan
    factors[2, 7] = np.nan
    have_all = np.where(np.isfinite(factors).all(axis=0), factors, np.nan)
    expected = [[np.nanmean(rank_ic(one, other, min_stocks=3)) for one in have_all] for other in have_all]
    np.testing.assert_allclose(pictures.average_rank_correlation(factors), expected)


def test_tables_of_what_is_wrong() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(4, 10, 12))
    names = ("FINE", "CONSTANT", "INFINITE", "GAPS")
    values[1] = 2.0
    values[2, 3, 4] = np.inf
    values[3, 5:] = np.nan
    started = np.ones((10, 12), dtype=bool)
    started[:2, 0] = False
    dates = np.datetime64("2022-01-03") + np.arange(10)

    missing = missing_share(values, names, started)
    assert missing["factor"].iloc[0] == "GAPS"
    assert missing["missing_share"].iloc[0] == pytest.approx(60 / 118)
    assert constant_factors(values, names)["factor"].tolist() == ["CONSTANT"]
    assert infinite_values(values, names).to_dict("list") == {"factor": ["INFINITE"], "infinite": [1]}
    thin = thin_sessions(values, dates, min_stocks=12)
    assert thin["date"].to_numpy("datetime64[D]").tolist() == dates[[3, *range(5, 10)]].tolist()
    assert thin["fewest"].tolist() == [11, 0, 0, 0, 0, 0]
    assert thin_sessions(values, dates, min_stocks=12, after=10).empty
    nothing = np.full((1, 10, 12), np.nan)
    assert constant_factors(nothing, ("NONE",))["factor"].tolist() == ["NONE"]


def test_implausible_values_are_named() -> None:
    panel = made_up_panel()
    values = alpha158(panel)
    before = implausible_values(values, ALPHA158, panel.axes)
    t, n = np.argwhere(np.isfinite(values[ALPHA158.index("CORR60")]))[-1]
    values[ALPHA158.index("VMA5"), t, n] = 1e18
    values[ALPHA158.index("CORR60"), t, n] = -1.5
    found = implausible_values(values, ALPHA158, panel.axes)
    more = found[~found["factor"].isin(before["factor"])]
    expected = [["CORR60", "-1 to 1", 1, -1.5], ["VMA5", "0 to 1000", 1, pytest.approx(1e18)]]
    assert more[["factor", "plausible", "implausible", "furthest"]].to_numpy().tolist() == expected
    assert set(more["session"]) == {str(panel.axes.dates[t])} and set(more["symbol"]) == {panel.axes.symbols[n]}
    assert implausible_values(np.full((1, *panel.axes.shape), 3e38), ["MINE"], panel.axes)["implausible"].sum() > 0


def test_real_stocks_are_plausible() -> None:
    panel = real_panel()
    assert implausible_values(alpha158(panel), ALPHA158, panel.axes).empty
    assert implausible_values(alpha360(panel), ALPHA360, panel.axes).empty
