from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.ic import HORIZONS, DailyIC, daily_ic, statistics, summarise
from niftyformer_assets.factors.labels import RETURN, UNITS, Label, Labels, Outcomes, Span, session_labels
from niftyformer_assets.factors.returns import daily_returns
from niftyformer_assets.factors.selection import FactorSelection, read_selected, select_factors, write_selection
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.size_proxy import size_proxy
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.factors.panels import real_panel

T, N = 60, 37


def made_up(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three factors [3, T, N] with ties and gaps, and returns of which the first factor foretells some."""
    random = np.random.default_rng(seed)
    factors = random.normal(size=(3, T, N)).astype(np.float32)
    factors[1] = np.round(factors[1])
    returns = random.normal(size=(T, N)) * 0.02
    returns[1:] += 0.01 * factors[0, :-1]
    returns[random.random((T, N)) < 0.1] = np.nan
    returns[5:8, :4] = 0.0
    factors[random.random((3, T, N)) < 0.1] = np.nan
    factors[2, 7] = 3.0
    factors[2, 8, 10:] = np.nan
    return factors, returns


def coefficients(
    factors: np.ndarray, names: str, returns: np.ndarray, horizons: tuple[int, ...] = HORIZONS, min_stocks: int = 10
) -> DailyIC:
    """With the returns of later sessions."""
    return daily_ic(factors, names, Labels.of(session_labels(RETURN, horizons), Outcomes(returns)), min_stocks)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_daily_coefficients_equal_scipy(horizon: int) -> None:
    factors, returns = made_up()
    daily = coefficients(factors, "ABC", returns, (1, 2, 5), min_stocks=11)
    place = (1, 2, 5).index(horizon)
    for f in range(3):
        for t in range(T):
            pair = daily.pearson[place, f, t], daily.spearman[place, f, t]
            if t + horizon >= T:
                assert np.isnan(pair).all()
                continue
            x, y = factors[f, t].astype(float), returns[t + horizon]
            both = np.isfinite(x) & np.isfinite(y)
            if both.sum() < 11 or np.ptp(x[both]) == 0:
                assert np.isnan(pair).all()
            else:
                expected = stats.pearsonr(x[both], y[both])[0], stats.spearmanr(x[both], y[both])[0]
                np.testing.assert_allclose(pair, expected, atol=1e-12)


def test_autocorrelation_and_coverage() -> None:
    factors, returns = made_up()
    daily = coefficients(factors, "ABC", returns, (1,), min_stocks=5)
    np.testing.assert_allclose(daily.coverage, np.isfinite(factors).mean(axis=2))
    x, y = factors[0, 9], factors[0, 8]
    both = np.isfinite(x) & np.isfinite(y)
    ranks = (stats.rankdata(np.where(np.isfinite(z), z, np.inf))[both] for z in (x, y))
    np.testing.assert_allclose(daily.autocorrelation[0, 9], stats.pearsonr(*ranks)[0])
    slow = np.repeat(np.arange(N, dtype=np.float32)[None, None], T, axis=1)
    np.testing.assert_allclose(coefficients(slow, "S", returns, (1,)).autocorrelation[0, 1:], 1.0)


def test_infinities_are_missing() -> None:
    factors, returns = made_up()
    with_gaps = np.where(np.isnan(factors), np.inf, factors)
    returns_too = np.where(np.isnan(returns), -np.inf, returns)
    plain, other = coefficients(factors, "ABC", returns), coefficients(with_gaps, "ABC", returns_too)
    assert [label.name for label in plain.labels] == ["h1", "h2", "h5", "h10"]
    np.testing.assert_array_equal(other.spearman, plain.spearman)
    np.testing.assert_array_equal(other.pearson, plain.pearson)


def test_statistics_over_training_pairs() -> None:
    factors, returns = made_up()
    daily = coefficients(factors, "ABC", returns, (1, 2))
    train = slice(3, 40)
    row = summarise(daily, train).loc["A"]
    x = daily.pearson[1, 0, 3:38]  # t + 2 reaches session 39, the last of the part
    assert row["ic_sessions_h2"] == len(x) == 35
    assert row["ic_mean_h2"] == pytest.approx(x.mean())
    assert row["ic_std_h2"] == pytest.approx(x.std(ddof=1))
    assert row["ic_icir_h2"] == pytest.approx(x.mean() / x.std(ddof=1))
    assert row["ic_t_h2"] == pytest.approx(stats.ttest_1samp(x, 0).statistic)
    assert row["ic_positive_h2"] == pytest.approx((x > 0).mean())
    # Newey and West with the three lags of 35 sessions, written out.
    off = x - x.mean()
    lagged = sum(weight * (off[lag:] @ off[:-lag]) for lag, weight in ((1, 0.75), (2, 0.5), (3, 0.25)))
    variance = (off @ off + 2 * lagged) / len(x)
    assert row["ic_t_nw_h2"] == pytest.approx(x.mean() / np.sqrt(variance / len(x)))
    assert row["coverage"] == pytest.approx(daily.coverage[0, train].mean())
    # That of the first session is with one before the part.
    assert row["autocorrelation"] == pytest.approx(daily.autocorrelation[0, 4:40].mean())
    assert row["ic_mean_h1"] > 0.2


def test_statistics_of_few_sessions_and_across_missing_ones() -> None:
    told = statistics(np.array([[0.1, np.nan, 0.3], [np.nan, np.nan, 0.2], [np.nan, np.nan, np.nan]]), 1)
    expected = {
        "mean": [0.2, 0.2, np.nan],
        "std": [0.02**0.5, np.nan, np.nan],
        "icir": [2**0.5, np.nan, np.nan],
        "t": [2, np.nan, np.nan],
        "positive": [1, 1, np.nan],
        "sessions": [2, 1, 0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(told[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("label", "overlap"),
    [
        (Label("h9", RETURN, (Span(9, "session"),)), 1),
        (Label("held9", RETURN, (Span(9),)), 9),
        (Label("mix", UNITS["rank"], (Span(3), Span(9))), 9),
    ],
    ids=lambda each: each.name if isinstance(each, Label) else "",
)
def test_labels_that_share_returns_have_as_many_lags(label: Label, overlap: int) -> None:
    """However late they are known: returns of single sessions share none, and depend as factors make them."""
    factors, returns = made_up()
    daily = daily_ic(factors, "ABC", Labels.of((label,), Outcomes(returns)), min_stocks=5)
    train = slice(0, T)
    x = daily.pairs(label.name, train)[0]
    off, lags = x - x.mean(), max(overlap - 1, 3)  # of 60 sessions three
    lagged = sum((1 - lag / (lags + 1)) * (off[lag:] @ off[:-lag]) for lag in range(1, lags + 1))
    expected = x.mean() / np.sqrt((off @ off + 2 * lagged) / len(x) ** 2)
    assert label.overlap == overlap
    assert summarise(daily, train).loc["A", f"ic_t_nw_{label.name}"] == pytest.approx(expected)


SPLIT = Split(slice(0, 40), slice(40, 50), slice(50, 60), slice(60, 60))


def select(settings: FactorSettings, seed: int = 0) -> FactorSelection:
    factors, returns = made_up(seed)
    size = np.tile(np.linspace(10, 20, N), (T, 1))
    return select_factors(factors, ("B_GOOD", "A_NOISE", "NOISE"), Outcomes(returns), size, ["X"] * N, SPLIT, settings)


@pytest.mark.parametrize("select_on", ["raw", "neutralized"])
def test_the_planted_factor_is_selected(select_on: str) -> None:
    chosen = select(FactorSettings(ic_threshold=0.2, select_on=select_on))  # type: ignore[arg-type]
    assert chosen.selected == ("B_GOOD",)
    assert chosen.summary.index[0] == "B_GOOD"
    assert chosen.summary["selected"].tolist() == [True, False, False]


def test_later_coefficients_are_shown_for_the_selected_and_named_as_not_used() -> None:
    chosen = select(FactorSettings(ic_threshold=0.2))
    shown = chosen.summary["ic_mean_h1_test_not_used"]
    expected = np.nanmean(chosen.daily.pearson[0, 0, 50:59])
    assert shown["B_GOOD"] == pytest.approx(expected)
    assert shown.drop("B_GOOD").isna().all()
    assert "ic_mean_h2_validation_not_used" in chosen.summary


def test_none_selected_says_what_the_best_were_and_what_to_change() -> None:
    with pytest.raises(NiftyFormerError, match=r"best are B_GOOD 0\.\d+.*ic_threshold to 0\.\d+ or less") as caught:
        select(FactorSettings(ic_threshold=0.95))
    advised = float(str(caught.value).split("ic_threshold to ")[1].split()[0])
    assert select(FactorSettings(ic_threshold=advised)).selected == ("B_GOOD",)


def test_too_few_stocks_says_so() -> None:
    with pytest.raises(NiftyFormerError, match="min_stocks=38"):
        select(FactorSettings(min_stocks=38))


def test_a_factor_seen_on_few_sessions_is_not_kept() -> None:
    factors, returns = made_up(0)
    factors[0, 15:] = np.nan  # the strongest one has 15 of the 39 pairs
    rest = (("B_GOOD", "A_NOISE", "NOISE"), Outcomes(returns), np.ones((T, N)), ["X"] * N, SPLIT)
    kept = select_factors(factors, *rest, FactorSettings(ic_threshold=0.0))
    assert kept.selected == ("A_NOISE", "NOISE")
    assert kept.summary.index[-1] == "B_GOOD"
    assert kept.summary.loc["B_GOOD", "ic_sessions_h1"] == 15
    assert "B_GOOD" in select_factors(factors, *rest, FactorSettings(ic_threshold=0.0, ic_sessions=15 / 39)).selected
    with pytest.raises(NiftyFormerError, match=r"on 50% of the 40 training sessions.*factors\.ic_sessions"):
        select_factors(factors[:1], ("B_GOOD",), *rest[1:], FactorSettings())


def test_files(tmp_path: Path) -> None:
    chosen = select(FactorSettings(ic_threshold=0.0))
    write_selection(tmp_path / "ic_summary.csv", tmp_path / "selected_factors.txt", chosen)
    assert read_selected(tmp_path / "selected_factors.txt") == ("A_NOISE", "B_GOOD", "NOISE")
    header, first, *_ = (tmp_path / "ic_summary.csv").read_text().splitlines()
    assert header.startswith("factor,selected,ic_mean_h1,")
    assert first.startswith("B_GOOD,True,")
    with pytest.raises(NiftyFormerError, match="materialize ic_summary first"):
        read_selected(tmp_path / "absent.txt")


def test_selection_on_the_real_reference_universe() -> None:
    """With exact factors and the first 495 sessions only, 13 raw factors reach 0.02."""
    panel = real_panel()
    returns = daily_returns(panel.close, panel.segment)
    split = Split(slice(0, 495), slice(495, 561), slice(561, 660), slice(660, 660))
    sectors = ["X"] * panel.axes.shape[1]
    chosen = select_factors(
        alpha158(panel), ALPHA158, Outcomes(returns), size_proxy(panel), sectors, split, FactorSettings()
    )
    expected = "BETA60 KLEN KMID KSFT LOW0 MIN30 MIN60 OPEN0 QTLD60 RESI5 ROC60 VMA5 VWAP0"
    assert chosen.selected == tuple(expected.split())
