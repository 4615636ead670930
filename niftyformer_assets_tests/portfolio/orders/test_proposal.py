"""From target to orders: cases reckoned by hand, and what must hold whatever is held and wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.costs import Rates, rates
from niftyformer_assets.portfolio.orders.holdings import COLUMNS, Held
from niftyformer_assets.portfolio.orders.prices import limit_price, tick_of
from niftyformer_assets.portfolio.orders.proposal import LEFT_OUT, ORDERS, Proposal, propose
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.portfolio.settings import CostSettings

PLAIN = OrderSettings(price_band=0.0, volume_cap=0.0, sale_credit=1.0)


def rates_of(schedule: Any = "zerodha") -> Rates:
    return rates(np.array(["2026-06-01"], dtype="datetime64[D]"), CostSettings(schedule=schedule, flat_bps=0.0))


def targets(**of: tuple[float, float]) -> pd.DataFrame:
    """symbol=(weight, close)"""
    return pd.DataFrame(
        [(name, weight, close, np.nan, "") for name, (weight, close) in of.items()],
        columns=["symbol", "weight", "close", "traded_value", "no_trade"],
    )


def held(money: float, **of: Any) -> Held:
    """symbol=shares, or the columns that differ."""
    rows = []
    for name, given in of.items():
        more = given if isinstance(given, dict) else {"held": given, "sellable": given}
        row = dict.fromkeys(COLUMNS, 0) | {"symbol": name, "exchange": "NSE", "isin": "", "series": ""}
        rows.append(row | {"average_price": 1.0, "last_price": 100.0} | more)
    return Held(pd.DataFrame(rows, columns=list(COLUMNS)), money, "a test")


def shares(proposal: Proposal) -> dict[str, int]:
    sign = proposal.orders["side"].map({"buy": 1, "sell": -1})
    return dict(zip(proposal.orders["symbol"], sign * proposal.orders["shares"], strict=True))


def reasons(proposal: Proposal) -> dict[str, str]:
    return dict(zip(proposal.left_out["symbol"], proposal.left_out["reason"], strict=True))


def test_by_hand_without_costs() -> None:
    """30,000 in all: half of it in A at 100, half in B at 70; 200 of A are held, and 50 of C."""
    found = propose(targets(A=(0.5, 100), B=(0.5, 70), C=(0, 80)), held(6000, A=200, C=50), PLAIN, rates_of("flat"))
    assert found.capital == 6000 + 20_000 + 4000
    assert shares(found) == {"A": -50, "C": -50, "B": 214}
    assert [*found.orders["side"]] == ["sell", "sell", "buy"] and tuple(found.orders.columns) == ORDERS
    assert found.orders["value"].tolist() == [5000, 4000, 14_980]
    assert (found.money, found.money_after, found.cost) == (6000, 20, 0)
    assert found.orders["target"].tolist() == [150, 0, 214] and len(found.left_out) == 0


def test_by_hand_with_zerodhas_charges() -> None:
    """Sold for 10,000: STT 10, exchange 0.307, SEBI 0.01, GST 0.06, DP 15.34. Bought for 9,000: stamp 1.35 besides."""
    found = propose(targets(A=(0.0, 100), B=(0.9, 90)), held(0, A=100), PLAIN, rates_of())
    assert shares(found) == {"A": -100, "B": 100}
    sold, bought = found.orders["cost"]
    assert sold == pytest.approx(10 + 0.31 + 0.01 + 0.06 + 15.34)
    assert bought == pytest.approx(9 + 0.28 + 0.01 + 0.05 + 1.35)
    # Of the day STT 19.00 stays, and stamp duty of 1.35 is 1.00.
    assert found.cost == pytest.approx(sold + bought - 0.35)
    assert found.money_after == pytest.approx(10_000 - 9000 - found.cost)


def test_limits_lie_in_the_band_and_money_is_counted_at_them() -> None:
    settings = OrderSettings(price_band=0.02, volume_cap=0.0, sale_credit=1.0)
    found = propose(targets(A=(0, 101.0), B=(1.0, 101.0)), held(0, A=100), settings, rates_of("flat"))
    assert found.orders["price"].tolist() == [99.0, 103.0]  # 98.98 up and 103.02 down to a tick of 0.05
    assert shares(found) == {"A": -100, "B": 96}  # 9,900 less a rupee for rounding
    assert reasons(found) == {"B": "the money at hand does not reach"}


@pytest.mark.parametrize(
    ("close", "tick"), [(100.0, 0.05), (999.95, 0.05), (1000, 0.1), (5000, 0.5), (10_000, 1.0), (20_000, 5.0)]
)
def test_ticks(close: float, tick: float) -> None:
    paise = round(close * 100)
    assert tick_of(paise) == round(tick * 100)
    for band in (0.0, 0.013, 0.02, 0.1999):
        low, high = (limit_price(paise, side, band) for side in ("sell", "buy"))
        assert low % tick_of(paise) == high % tick_of(paise) == 0
        assert close * (1 - band) - 1e-6 <= low / 100 <= close * (1 - band) + tick
        assert close * (1 + band) - tick <= high / 100 <= close * (1 + band) + 1e-6


def test_a_price_below_a_tick_is_still_one() -> None:
    assert limit_price(3, "buy", 0.0) == limit_price(3, "sell", 0.0) == 5


def test_no_more_is_sold_than_can_be_and_it_is_said() -> None:
    of = held(0, A={"held": 15, "sellable": 10, "pledged": 5}, B={"held": 4, "sellable": 0})
    found = propose(targets(A=(0, 100), B=(0, 100)), of, PLAIN, rates_of())
    assert shares(found) == {"A": -10}
    assert reasons(found) == {
        "A": "5 shares pledged: it cannot be sold",
        "B": "not free at Kite: it cannot be sold",
    }
    assert found.left_out["shares"].tolist() == [5, 4] and tuple(found.left_out.columns) == LEFT_OUT


def test_what_sales_bring_can_be_used_in_part_and_of_undelivered_shares_not_at_all() -> None:
    wanted = targets(A=(0, 100), B=(1.0, 100))
    for t1, credit, bought in ((0, 1.0, 99), (0, 0.8, 79), (10, 1.0, 89), (100, 1.0, 0)):
        settings = OrderSettings(price_band=0.0, volume_cap=0.0, sale_credit=credit)
        of = held(0, A={"held": 100, "sellable": 100, "t1": t1})
        assert shares(propose(wanted, of, settings, rates_of("flat"))).get("B", 0) == bought


def test_the_cap_on_the_traded_value() -> None:
    wanted = targets(A=(0, 100), B=(0.5, 50)).assign(traded_value=[20_000.0, 5000.0])
    settings = OrderSettings(price_band=0.0, volume_cap=0.1, sale_credit=1.0)
    found = propose(wanted, held(0, A=100), settings, rates_of("flat"))
    assert shares(found) == {"A": -20, "B": 10}
    assert reasons(found)["A"] == "over 0.1 of the stock's usual traded value: on later sessions"
    assert found.left_out["shares"].tolist() == [80, 90]


def test_what_is_not_to_be_traded_is_left_out_with_its_reason() -> None:
    wanted = targets(A=(0, 100), B=(0.5, 50), C=(0.1, np.nan)).assign(no_trade=["suspended", "ASM stage 2", ""])
    found = propose(wanted, held(5000, A=100, C=3), PLAIN, rates_of())
    assert len(found.orders) == 0 and found.money_after == found.money == 5000
    assert reasons(found) == {"A": "suspended", "B": "ASM stage 2", "C": "its price is not known"}


def test_a_persons_own_is_not_touched_unless_a_setting_says_so() -> None:
    wanted, of = targets(A=(1.0, 100)), held(1000, A=1, OWN=5, ALSO=7, LENT={"mtf": 9})
    found = propose(wanted, of, PLAIN, rates_of("flat"))
    assert found.capital == 1100 and shares(found) == {"A": 9}
    told = dict(zip(found.untouched["symbol"], found.untouched["reason"], strict=True))
    assert told["OWN"].startswith("the signal does not speak of it") and "MTF" in told["LENT"]
    others = OrderSettings(price_band=0.0, volume_cap=0.0, sell_others=True, keep="also, OTHER")
    found = propose(wanted, of, others, rates_of())
    assert shares(found)["OWN"] == -5 and "ALSO" not in shares(found)
    assert dict(zip(found.untouched["symbol"], found.untouched["reason"], strict=True))["ALSO"] == (
        "it is named in `keep`"
    )
    kept = OrderSettings(price_band=0.0, volume_cap=0.0, keep="A")
    found = propose(wanted, of, kept, rates_of())
    assert shares(found) == {} and found.capital == 1000 and reasons(found) == {"A": "it is named in `keep`"}


def test_cash_and_capital_are_no_more_than_the_settings_say() -> None:
    wanted = targets(A=(1.0, 100))
    capped = OrderSettings(price_band=0.0, volume_cap=0.0, capital=2500.0)
    assert shares(propose(wanted, held(10_000), capped, rates_of("flat"))) == {"A": 25}
    less = OrderSettings(price_band=0.0, volume_cap=0.0, cash=1050.0)
    found = propose(wanted, held(10_000, A=3), less, rates_of("flat"))
    assert found.money == 1050 and shares(found) == {"A": 10}


def test_a_sale_that_does_not_pay_its_charges_is_left_out() -> None:
    found = propose(targets(A=(0, 10.0)), held(0, A=1), PLAIN, rates_of())
    assert len(found.orders) == 0 and reasons(found) == {"A": "it would not bring more than it costs"}


def test_a_stock_goes_by_its_isin() -> None:
    of = held(0, OLDNAME={"held": 3, "sellable": 3, "isin": "INE1"}, NEW={"held": 2, "sellable": 2, "isin": "INE2"})
    named = of.known_as(["NEW", "OTHER"], {"INE1": "NEW"})
    assert named.table.set_index("symbol")["held"].to_dict() == {"NEW": 5}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_held_and_wanted(seed: int) -> None:
    """No more money than there is, no more shares sold than can be, and with enough of both the target is reached."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1, 25))
    names = [f"S{place}" for place in range(number)]
    weights = rng.dirichlet(np.ones(number)) * (rng.random(number) < 0.6) * rng.random()
    wanted = pd.DataFrame(
        {
            "symbol": names,
            "weight": weights,
            "close": np.round(np.exp(rng.uniform(0, 10.5, number)), 2),
            "traded_value": np.where(rng.random(number) < 0.3, np.nan, np.exp(rng.uniform(5, 20, number))),
            "no_trade": np.where(rng.random(number) < 0.1, "suspended", ""),
        }
    )
    rows = {}
    for name in [name for name in names if rng.random() < 0.6]:
        all_of = int(rng.integers(0, 500))
        free = int(rng.integers(0, all_of + 1))
        rows[name] = {"held": all_of, "sellable": free, "t1": int(rng.integers(0, free + 1))}
    of = held(round(float(rng.uniform(0, 2e5)), 2) * (rng.random() < 0.8), **rows)
    settings = OrderSettings(
        price_band=float(rng.uniform(0, 0.1)),
        volume_cap=float(rng.choice([0.0, 0.02, 0.5])),
        sale_credit=float(rng.choice([0.0, 0.8, 1.0])),
    )
    found = propose(wanted, of, settings, rates_of())
    orders = found.orders
    buys, sells = orders[orders["side"] == "buy"], orders[orders["side"] == "sell"]
    assert [*orders["side"]] == ["sell"] * len(sells) + ["buy"] * len(buys) and (orders["shares"] > 0).all()
    assert orders["symbol"].is_unique
    # Even if no sale is filled at a better price than its limit, and none of what is not credited can be used.
    credit = settings.sale_credit * (sells["value"] - sells["cost"]).clip(lower=0).sum()
    assert (buys["value"] + buys["cost"]).sum() <= found.money + credit + 0.01
    assert found.money_after >= 0
    balance = found.money + sells["value"].sum() - buys["value"].sum() - found.cost
    assert found.money_after == pytest.approx(balance, abs=1e-6)
    free = of.table.set_index("symbol")["sellable"]
    assert all(row.shares <= free[row.symbol] for row in sells.itertuples())
    for row in orders.itertuples():
        assert row.price * 100 == pytest.approx(round(row.price * 100), abs=1e-6)
        tick = tick_of(round(row.close * 100)) / 100
        assert (row.price - row.close) * (1 if row.side == "buy" else -1) <= settings.price_band * row.close + tick
    # Nothing of the target is lost without a word: what was ordered and what was left out are the whole difference.
    at_hand = of.table.set_index("symbol")["held"].reindex(names, fill_value=0)
    target = (wanted["weight"] * found.capital / wanted["close"]).set_axis(names)
    moved = at_hand.add(pd.Series(shares(found), dtype=float), fill_value=0)
    sign = found.left_out["side"].map({"buy": 1, "sell": -1})
    left = (sign * found.left_out["shares"]).groupby(found.left_out["symbol"]).sum()
    assert (moved.add(left, fill_value=0) - target).abs().max() <= 1 + 1e-6
    # With money, free shares and nobody in the way the target is there within one share.
    rich = held(1e9, **{name: row["held"] for name, row in rows.items()})
    enough = OrderSettings(price_band=0.0, volume_cap=0.0, sale_credit=1.0, capital=max(found.capital, 1.0))
    free_to = propose(wanted.assign(no_trade=""), rich, enough, rates_of("flat"))
    after = at_hand.add(pd.Series(shares(free_to), dtype=float), fill_value=0)
    unsold = free_to.left_out.groupby("symbol")["shares"].sum()  # what is not worth its charges
    wanted_now = (wanted["weight"] * free_to.capital / wanted["close"]).set_axis(names)
    assert (after.sub(unsold, fill_value=0) - wanted_now).abs().max() <= 1 + 1e-6
    # And from there nothing is to be done.
    again = held(free_to.money_after, **{name: int(number) for name, number in after.items()})
    more = propose(wanted.assign(no_trade=""), again, enough, rates_of("flat"))
    assert len(more.orders) == 0 or len(unsold)
