from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.costs import COST_ITEMS, SCHEDULE_START, contract_note, rates, schedule_notes
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets_tests.portfolio.markets import plain_market


def one_trade(start: str, costs: CostSettings, price: float = 1000.0) -> pd.DataFrame:
    """Two stocks of one price; the first is bought with all the money, then replaced by the second."""
    market = plain_market(np.full((4, 2), price), start=start)
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    strategy = StrategySettings(name="topk_dropout", top_k=1, n_drop=1, capital=100_200.0)
    return run_backtest(Scores(market.axes, scores), market, strategy, costs).trades


def test_every_item_of_a_buy_and_a_sell() -> None:
    buy, sell = one_trade("2024-05-06", CostSettings()).iloc[:2].to_dict("records")
    assert (buy["side"], buy["shares"], buy["value"]) == ("buy", 100, 100_000.0)
    expected = {"brokerage": 0, "stt": 100, "exchange": 3.22, "sebi": 0.1, "gst": 0.6, "stamp": 15, "dp": 0, "flat": 0}
    expected["rounding"] = 0
    assert {item: buy[item] for item in COST_ITEMS} == expected
    assert buy["cost"] == 118.92
    assert (sell["side"], sell["value"]) == ("sell", 100_000.0)
    assert {item: sell[item] for item in COST_ITEMS} == {**expected, "stamp": 0, "dp": 15.93}
    assert sell["cost"] == 119.85


def test_round_trip_costs_what_the_facts_say() -> None:
    trades = one_trade("2024-05-06", CostSettings()).iloc[:2]
    without_dp = trades["cost"].sum() - trades["dp"].sum()
    assert without_dp / 100_000 == pytest.approx(0.002_225, abs=1e-5)


@pytest.mark.parametrize(
    ("first_trade", "exchange"),
    [
        ("2021-01-01", 3.45),
        ("2023-03-31", 3.45),
        ("2023-04-01", 3.25),
        ("2024-03-31", 3.25),
        ("2024-04-01", 3.22),
        ("2024-10-01", 2.97),
        ("2026-02-28", 2.97),
        ("2026-03-01", 3.07),
    ],
)
def test_the_charge_in_force_on_the_day(first_trade: str, exchange: float) -> None:
    decided = str(np.datetime64(first_trade) - 1)
    assert one_trade(decided, CostSettings())["exchange"].iloc[0] == exchange


def test_before_the_schedule_its_earliest_rates_and_a_note() -> None:
    dates = np.array(["2015-06-01", "2020-12-31", "2021-01-01"], dtype="datetime64[D]")
    table = rates(dates, CostSettings())
    np.testing.assert_array_equal(table.value[0], table.value[2])
    depository, early = schedule_notes(dates, CostSettings())
    assert "15.93 before 2024-10-01, by" in depository
    assert early.startswith(f"2 of 3 sessions lie before {SCHEDULE_START}")
    assert len(schedule_notes(dates[2:], CostSettings())) == 1
    assert schedule_notes(dates, CostSettings(schedule="flat")) == ()
    market = plain_market(np.full((3, 1), 10.0), start="2015-06-01")
    result = run_backtest(Scores(market.axes, np.ones((3, 1))), market, StrategySettings(top_k=1), CostSettings())
    assert result.notes[1].startswith("3 of 3")


def test_flat_rate_is_all_there_is() -> None:
    trades = one_trade("2024-05-06", CostSettings(schedule="flat", flat_bps=5))
    assert trades["cost"].iloc[0] == trades["flat"].iloc[0] == 50.0
    assert trades["cost"].iloc[1] == 50.0


def test_slippage_moves_the_price_against_the_trade() -> None:
    costs = CostSettings(schedule="flat", flat_bps=0, slippage_bps=10, slippage_volume_bps=20)
    buy, sell = one_trade("2024-05-06", costs).iloc[:2].to_dict("records")
    # About 100 of 1,000,000 shares are 0.01% of the volume: 0.2 bps more, two paise on 1000 rupees.
    bps = 10 + 20 * 100 * buy["shares"] / 1e6
    assert buy["price"] == round(1000 * (1 + bps / 10_000), 2)
    assert sell["price"] == round(1000 * (1 - bps / 10_000), 2)
    assert buy["slippage"] == pytest.approx(buy["shares"] * (buy["price"] - 1000))
    assert buy["cost"] == 0


def test_items_are_rounded_half_up_to_the_paisa() -> None:
    for price in (13.37, 7.5, 991.05, 250.5):
        for row in one_trade("2024-05-06", CostSettings(), price).itertuples():
            stt = (Decimal(str(round(row.value, 2))) * Decimal("0.001")).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert Decimal(str(row.stt)) == stt


def test_dp_charge_is_paid_once_for_a_scrip_and_day() -> None:
    rng = np.random.default_rng(0)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.03, (40, 8)), axis=0)), start="2024-01-01")
    scores = Scores(market.axes, rng.random((40, 8)))
    trades = run_backtest(scores, market, StrategySettings(top_k=4), CostSettings()).trades
    sells = trades[trades["side"] == "sell"]
    assert len(sells) > 10
    assert not sells.duplicated(["session", "symbol"]).any()
    assert (sells["dp"] == 15.93).all()
    assert (trades.loc[trades["side"] == "buy", "dp"] == 0).all()


@pytest.mark.parametrize(("sold", "paid"), [("2021-07-01", 15.93), ("2024-09-30", 15.93), ("2024-10-01", 15.34)])
def test_the_dp_charge_is_that_of_its_day(sold: str, paid: float) -> None:
    trades = one_trade(str(np.datetime64(sold) - 2), CostSettings())
    assert (str(trades["session"].iloc[1])[:10], trades["dp"].iloc[1]) == (sold, paid)
    told = schedule_notes(np.array([sold], dtype="datetime64[D]"), CostSettings())[0]
    assert f"{paid} " in told
    assert f"{15.93 + 15.34 - paid:.2f}" not in told


def test_tax_and_duty_of_a_day_are_whole_rupees_and_the_difference_stands_in_its_last_fill() -> None:
    rng = np.random.default_rng(3)
    market = plain_market(100 * np.exp(np.cumsum(rng.normal(0, 0.03, (60, 12)), axis=0)), start="2024-01-01")
    scores = Scores(market.axes, rng.random((60, 12)))
    for capital in (3_000.0, 250_000.0):  # a few rupees a day, where rounding is most of the tax, and more
        strategy = StrategySettings(name="topk_dropout", top_k=4, capital=capital)
        trades = run_backtest(scores, market, strategy, CostSettings()).trades
        days = 0
        for _, day in trades.groupby("session"):
            whole = sum(
                sum(Decimal(str(paid)) for paid in day[item]).quantize(Decimal(1), ROUND_HALF_UP)
                for item in ("stt", "stamp")
            )
            assert round(float(whole), 2) == pytest.approx(day[["stt", "stamp", "rounding"]].sum(axis=None), abs=1e-9)
            assert (day["rounding"].iloc[:-1] == 0).all()
            days += 1
        assert days > 40
        assert trades["rounding"].abs().max() > 0


def test_contract_note_adds_up() -> None:
    trades = one_trade("2024-05-06", CostSettings())
    note = contract_note(trades)
    items = [item for item in COST_ITEMS if item in note.index]
    assert items == ["stt", "exchange", "sebi", "gst", "stamp", "dp", "rounding"]
    assert note.loc[items, "total"].sum() == pytest.approx(note.loc["cost", "total"])
    assert note.loc["cost", "total"] == pytest.approx(trades["cost"].sum())
    assert note.loc["stt", "bps"] == pytest.approx(10, abs=0.01)
    empty = contract_note(trades.iloc[:0])
    assert (empty["total"] == 0).all()
    assert empty["bps"].isna().all()


def test_settings_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        CostSettings(slippage_bps=-1)
    with pytest.raises(ValueError, match="at most 1000"):
        CostSettings(flat_bps=5000)
    with pytest.raises(ValueError, match="capital"):
        StrategySettings(capital=0)
    with pytest.raises(ValueError, match="n_drop"):
        StrategySettings(name="topk_dropout", n_drop=11)
