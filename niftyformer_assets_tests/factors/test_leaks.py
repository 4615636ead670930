"""Nothing here may look ahead: cut off the sessions from one on, and everything before stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.neutralize import neutralize
from niftyformer_assets.factors.registration import OwnFactor
from niftyformer_assets.factors.registry import FACTOR_SETS, own_set
from niftyformer_assets.factors.returns import daily_returns
from niftyformer_assets.factors.selection import select_factors
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.market.size_proxy import size_proxy
from niftyformer_assets.market.split import Split
from niftyformer_assets_tests.factors.leak import factors_that_look_ahead
from niftyformer_assets_tests.factors.panels import made_up_panel, real_panel

CUTS = (1, 6, 61, 75, 76, 95, 140)
SECTORS = ["A", "B", "C", "A"]


def tomorrow(panel: Panel) -> np.ndarray:
    """The canary: tomorrow's return as a factor of today."""
    returns = daily_returns(panel.close, panel.segment)
    return np.vstack([returns[1:], np.full((1, returns.shape[1]), np.nan)])


@pytest.mark.parametrize("name", FACTOR_SETS)
def test_no_factor_looks_ahead(name: str) -> None:
    assert factors_that_look_ahead(FACTOR_SETS[name], made_up_panel(), CUTS) == ()


def test_no_factor_looks_ahead_on_real_candles() -> None:
    assert factors_that_look_ahead(FACTOR_SETS["alpha158"], real_panel(), (300, 559)) == ()


def test_the_canary_is_caught() -> None:
    planted = own_set({"TODAY": OwnFactor(lambda panel: panel.close, 0), "TOMORROW": OwnFactor(tomorrow, 0)})
    assert factors_that_look_ahead(planted, made_up_panel(), CUTS) == ("TOMORROW",)


def test_labels_do_not_look_ahead() -> None:
    panel = made_up_panel()
    full = daily_returns(panel.close, panel.segment)
    for cut in CUTS:
        np.testing.assert_array_equal(daily_returns(panel.close[:cut], panel.segment[:cut]), full[:cut])


@pytest.mark.parametrize("settings", [FactorSettings(), FactorSettings(winsorize=0.05, rolling_zscore_sessions=20)])
def test_neutralisation_does_not_look_ahead(settings: FactorSettings) -> None:
    panel = made_up_panel(symbols=24)
    factors, size, sectors = alpha158(panel), size_proxy(panel), SECTORS * 6
    full = neutralize(factors, size, sectors, settings)
    for cut in CUTS:
        again = neutralize(factors[:, :cut], size[:cut], sectors, settings)
        np.testing.assert_array_equal(again, full[:, :cut])


@pytest.mark.parametrize("select_on", ["raw", "neutralized"])
def test_selection_sees_training_sessions_only(select_on: str) -> None:
    """Other prices after the training end change neither what is selected nor one training statistic."""
    train_end = 100
    panel, changed, other = (made_up_panel(symbols=24, seed=seed) for seed in (0, 0, 1))
    for name in ("open", "high", "low", "close", "volume", "segment"):
        getattr(changed, name)[train_end:] = getattr(other, name)[train_end:]
    changed.segment[train_end:] = np.maximum(changed.segment[train_end:], changed.segment[train_end - 1])
    split = Split(slice(0, train_end), slice(100, 120), slice(120, 150), slice(150, 150))
    settings = FactorSettings(select_on=select_on, ic_threshold=0.05)  # type: ignore[arg-type]
    outcomes = []
    for candles in (panel, changed):
        returns, size = daily_returns(candles.close, candles.segment), size_proxy(candles)
        outcomes.append(select_factors(alpha158(candles), ALPHA158, returns, size, SECTORS * 6, split, settings))
    first, second = (outcome.summary for outcome in outcomes)
    training = [column for column in first if not column.endswith("_not_used")]
    assert outcomes[0].selected == outcomes[1].selected
    assert first[training].equals(second[training])
    # The other prices do matter to what is shown beside it.
    assert not first.equals(second)


def test_a_return_just_after_the_training_end_does_not_count() -> None:
    """The last training session's factor meets a huge return on the session after: no statistic moves."""
    panel = made_up_panel(symbols=24)
    factors, size = alpha158(panel), size_proxy(panel)
    returns = daily_returns(panel.close, panel.segment)
    split = Split(slice(0, 100), slice(100, 120), slice(120, 150), slice(150, 150))
    settings = FactorSettings(ic_threshold=0.0)
    before = select_factors(factors, ALPHA158, returns, size, SECTORS * 6, split, settings)
    returns[100:] = factors[0, 99] * 1000
    after = select_factors(factors, ALPHA158, returns, size, SECTORS * 6, split, settings)
    training = [column for column in before.summary if not column.endswith("_not_used")]
    assert before.summary[training].equals(after.summary[training])
