"""Nothing here may look ahead: cut off the sessions from one on, and everything before stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.labels import RETURN, UNITS, Label, NetOf, Outcomes, Span
from niftyformer_assets.factors.net_of import market_and_beta
from niftyformer_assets.factors.neutralize import neutralize
from niftyformer_assets.factors.registration import OwnFactor
from niftyformer_assets.factors.registry import FACTOR_SETS, own_set
from niftyformer_assets.factors.returns import daily_returns
from niftyformer_assets.factors.selection import FactorSelection, select_factors
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
        outcomes.append(
            select_factors(alpha158(candles), ALPHA158, Outcomes(returns), size, SECTORS * 6, split, settings)
        )
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
    before = select_factors(factors, ALPHA158, Outcomes(returns), size, SECTORS * 6, split, settings)
    returns[100:] = factors[0, 99] * 1000
    after = select_factors(factors, ALPHA158, Outcomes(returns), size, SECTORS * 6, split, settings)
    training = [column for column in before.summary if not column.endswith("_not_used")]
    assert before.summary[training].equals(after.summary[training])


TARGETS = (
    Label("held", RETURN, (Span(5),)),
    Label("net", UNITS["rank"], (Span(3, net_of="market"), Span(1, net_of="sector"))),
)


@pytest.mark.parametrize("judged_by", ["held", "net"])
def test_a_target_known_after_the_training_end_does_not_count(judged_by: str) -> None:
    """Other outcomes from the training end on move no statistic; one session earlier they do."""
    panel = made_up_panel(symbols=24)
    factors, size = alpha158(panel), size_proxy(panel)
    returns, (market, beta) = daily_returns(panel.close, panel.segment), market_and_beta(panel)
    beta = np.nan_to_num(beta, nan=1.0)  # this panel is too short for one
    split = Split(slice(0, 100), slice(100, 120), slice(120, 150), slice(150, 150))
    settings = FactorSettings(ic_threshold=0.02, ic_sessions=0.001)

    def selected(garbled_from: int) -> FactorSelection:
        later = np.arange(len(returns)) >= garbled_from
        outcomes = Outcomes(
            np.where(later[:, None], factors[0, 99] * 100, returns),
            NetOf(
                np.where(later, 0.1, market),
                np.where(later[:, None], -3.0, beta),
                np.where(later[:, None], 0, np.tile(np.arange(24) % 3, (150, 1))),
            ),
        )
        rest = (size, SECTORS * 6, split, settings)
        return select_factors(factors, ALPHA158, outcomes, *rest, targets=TARGETS, judged_by=judged_by)

    before, after, sooner = (selected(session) for session in (150, 100, 99))
    training = [column for column in before.summary if not column.endswith("_not_used")]
    assert before.selected == after.selected
    assert before.summary[training].equals(after.summary[training])
    means = f"ic_mean_{judged_by}"
    assert not before.summary[means].equals(sooner.summary[means])
    # It is the target that decides, and its own figures that are told of the parts that do not.
    strength = before.summary[means].abs()
    assert set(before.selected) == set(strength.index[strength >= settings.ic_threshold])
    assert before.summary[f"{means}_test_not_used"].notna().any()
    assert before.judged_by_in_words == f"target {judged_by}"
