"""Short-term gains are those of the trades that were made, lot by lot, and losses count as the law has it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS
from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.strategy_registry import registered
from niftyformer_assets.portfolio.backtest.taxes import RATE, RATE_BEFORE, realised_gains, short_term_tax, tax_by_year
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.markets import plain_market, random_market, random_walk_scores


def traded(*orders: tuple[str, str, int, float, float, float], start: str = "2024-01-01") -> BacktestResult:
    """A result with these filled orders of one stock: session, side, shares, price, stt, stamp."""
    rows = []
    for session, side, shares, price, stt, stamp in orders:
        charged = dict.fromkeys(COST_ITEMS, 0.0) | {"stt": stt, "stamp": stamp}
        value = shares * price
        row = {"session": np.datetime64(session), "symbol": "S000", "side": side, "shares": shares, "value": value}
        rows.append(row | charged | {"cost": sum(charged.values())})
    market = plain_market(np.full((3, 1), 100.0), start=start)
    nothing = np.zeros(3)
    return BacktestResult(
        market=market,
        strategy=StrategySettings(),
        costs=CostSettings(),
        nav=np.full(3, 1e6),
        cash=nothing,
        interest=nothing,
        holdings=np.zeros((3, 1), dtype=np.int64),
        orders=pd.DataFrame(rows),
        marks=pd.DataFrame(),
        notes=(),
    )


def gains(*rows: tuple[str, float]) -> pd.DataFrame:
    """Short-term gains by the date of the sale."""
    sold = pd.to_datetime([day for day, _ in rows])
    rate = np.where(sold < pd.Timestamp("2024-07-23"), RATE_BEFORE, RATE)
    return pd.DataFrame({"sold": sold, "gain": [gain for _, gain in rows], "rate": rate})


def test_the_first_shares_bought_are_the_first_sold() -> None:
    result = traded(
        ("2024-01-01", "buy", 10, 100.0, 1.0, 0.5),
        ("2024-02-01", "buy", 10, 200.0, 2.0, 1.0),
        ("2024-03-01", "sell", 15, 220.0, 3.3, 0.0),
    )
    table = realised_gains(result)
    # Stamp duty is deducted, securities transaction tax is not.
    assert table["gain"].tolist() == pytest.approx([10 * 220 - 1000.5, 5 * 220 - 2001 / 2])
    assert table["bought"].dt.strftime("%m").tolist() == ["01", "02"]
    tax = short_term_tax(result)
    assert tax.gain == pytest.approx(1199.5 + 99.5)
    assert tax.tax == pytest.approx(0.15 * 1299)
    assert (tax.loss_left, tax.long_term, tax.rates) == (0, 0, (RATE_BEFORE,))


def test_a_lot_held_for_more_than_twelve_months_is_not_short_term() -> None:
    result = traded(
        ("2023-03-01", "buy", 10, 100.0, 0.0, 0.0),
        ("2023-09-01", "buy", 10, 100.0, 0.0, 0.0),
        ("2024-03-01", "sell", 5, 110.0, 0.0, 0.0),  # twelve months to the day
        ("2024-03-04", "sell", 10, 130.0, 0.0, 0.0),
    )
    assert realised_gains(result)["long_term"].tolist() == [False, True, False]
    tax = short_term_tax(result)
    assert (tax.gain, tax.long_term) == (pytest.approx(50 + 150), pytest.approx(150))
    assert tax.tax == pytest.approx(0.15 * 200)


@pytest.mark.parametrize(
    ("rows", "tax", "left"),
    [
        ([("2024-07-22", 100.0)], 15.0, 0.0),
        ([("2024-07-23", 100.0)], 20.0, 0.0),
        # Within a year a loss counts wherever in it it was made, against the higher rate first.
        ([("2024-05-02", 100.0), ("2024-10-01", 100.0), ("2025-03-31", -50.0)], 25.0, 0.0),
        ([("2024-05-02", 100.0), ("2024-10-01", -150.0)], 0.0, 50.0),
        ([("2024-05-02", -150.0), ("2024-10-01", 100.0)], 0.0, 50.0),
        # A loss reaches later years, never earlier ones.
        ([("2024-03-28", -80.0), ("2024-04-01", 100.0)], 3.0, 0.0),
        ([("2024-03-28", 100.0), ("2024-04-01", -80.0)], 15.0, 80.0),
        # The year's own losses come first, so the older ones stay for later.
        ([("2023-05-02", -30.0), ("2024-10-01", 100.0), ("2024-05-02", -90.0), ("2025-05-02", 40.0)], 20 * 0.2, 0.0),
        # Eight years on it still counts, in the ninth no longer.
        ([("2010-05-03", -80.0), ("2018-05-03", 100.0)], 3.0, 0.0),
        ([("2010-05-03", -80.0), ("2019-05-03", 100.0)], 15.0, 0.0),
        ([("2024-05-02", -10.0)], 0.0, 10.0),
        ([], 0.0, 0.0),
    ],
)
def test_losses_are_set_off_as_the_law_allows(rows: list[tuple[str, float]], tax: float, left: float) -> None:
    assert tax_by_year(gains(*rows)) == (pytest.approx(tax), pytest.approx(left))


@pytest.mark.parametrize("name", registered())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gains_are_what_the_positions_earned(seed: int, name: str) -> None:
    """Stock by stock, broken adjustments and delistings included, for all that were sold out."""
    market = random_market(seed, 260, 30, trouble=0.05)
    result = run_backtest(
        random_walk_scores(seed, market),
        market,
        StrategySettings(name=name, top_k=6, rebalance_every=3, drop_every=4),
        CostSettings(),
    )
    assert (result.marks["kind"] == "broken_adjustment").any()
    found = realised_gains(result).groupby("symbol")["gain"].sum()
    trips = result.round_trips
    deducted = result.trades.groupby("symbol")[["stt", "rounding"]].sum().sum(axis=1)
    still_held = set(trips.loc[trips["closed"].isna(), "symbol"])
    sold_out = [symbol for symbol in trips["symbol"].unique() if symbol not in still_held]
    assert len(sold_out) > 3
    for symbol in sold_out:
        expected = trips.loc[trips["symbol"] == symbol, "profit"].sum() + deducted[symbol]
        assert found[symbol] == pytest.approx(expected, abs=0.02), symbol


def test_where_nothing_was_sold_there_is_no_tax() -> None:
    tax = short_term_tax(traded(("2024-01-01", "buy", 10, 100.0, 1.0, 0.5)))
    assert (tax.gain, tax.tax, tax.loss_left, tax.long_term, tax.rates) == (0, 0, 0, 0, ())
