"""The backtest once more, by another hand: plain Python, one stock at a time, decimals instead of integers.

It shares no code with the engine and none of its arrays; only settings and the answers' units.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings

PAISA = Decimal("0.01")


def rupees(price: float) -> Decimal | None:
    """A price in whole paise, None if there is none."""
    if not np.isfinite(price):
        return None
    paise = int(np.rint(price * 100))
    return Decimal(paise) / 100 if paise > 0 else None


def to_paisa(amount: Decimal) -> Decimal:
    return amount.quantize(PAISA, ROUND_HALF_UP)


def tax_and_duty(value: Decimal, side: str, costs: CostSettings) -> tuple[Decimal, Decimal]:
    if costs.schedule == "flat":
        return Decimal(0), Decimal(0)
    return to_paisa(value / 1000), to_paisa(value * Decimal("0.00015")) if side == "buy" else Decimal(0)


def charges(value: Decimal, side: str, day: date, costs: CostSettings) -> Decimal:
    """Of one fill, before tax and duty of the day are rounded to the rupee."""
    if costs.schedule == "flat":
        return to_paisa(value * Decimal(str(costs.flat_bps)) / 10_000)
    percent = "0.00345"
    for since, rate in (
        (date(2023, 4, 1), "0.00325"),
        (date(2024, 4, 1), "0.00322"),
        (date(2024, 10, 1), "0.00297"),
        (date(2026, 3, 1), "0.00307"),
    ):
        if day >= since:
            percent = rate
    exchange = to_paisa(value * Decimal(percent) / 100)
    sebi = to_paisa(value * Decimal("0.0001") / 100)
    total = sum(tax_and_duty(value, side, costs), exchange + sebi)
    total += to_paisa((exchange + sebi) * Decimal("0.18"))
    if side == "sell":
        total += Decimal("15.93") if day < date(2024, 10, 1) else Decimal("15.34")
    return total


class Slow:
    """One portfolio. `run` gives nav, cash (float rupees, a list each) and holdings (a list of dicts)."""

    def __init__(
        self, scores: np.ndarray, market: Market, strategy: StrategySettings, costs: CostSettings, lots: np.ndarray
    ) -> None:
        self.scores, self.market, self.strategy, self.costs, self.lots = scores, market, strategy, costs, lots
        self.days = [day.item() for day in market.axes.dates]
        self.cash = Decimal(str(strategy.capital))
        self.shares: dict[int, int] = {}
        self.bought_on: dict[int, int] = {}
        self.taxed = [Decimal(0), Decimal(0)]  # STT and stamp duty of the session so far
        self.rounded = [Decimal(0)] * len(self.days)  # what rounding both to the rupee came to

    def run(self) -> tuple[list[float], list[float], list[dict[int, int]]]:
        navs, cashes, holdings = [], [], []
        scored = 0
        nav = self.cash
        for t in range(len(self.days)):
            plan = None
            outside = [stock for stock in self.shares if t > 0 and self.is_outside(stock, t - 1)]
            if t > 0 and any(np.isfinite(score) for score in self.scores[t - 1]):
                leave, enter, places = self.decide(t - 1, scored, nav)
                plan = [*outside, *leave], enter, places
                scored += 1
            elif outside:
                plan = outside, [], None
            self.taxed = [Decimal(0), Decimal(0)]
            for stock in sorted(self.shares):
                self.carry_over(stock, t)
            if plan is not None:
                self.trade(t, *plan)
            if t > 1:
                rate = (1 + self.strategy.cash_yield) ** (1 / 252) - 1
                self.cash += Decimal(int(cashes[-1] * 100 * rate + 0.5)) / 100
            nav = self.cash + sum(held * self.mark(stock, t) for stock, held in self.shares.items())
            navs.append(float(nav))
            cashes.append(float(self.cash))
            holdings.append(dict(self.shares))
        return navs, cashes, holdings

    # what is known of one stock

    def candle_before(self, stock: int, t: int) -> int | None:
        """The last session up to t with a candle."""
        for session in range(t, -1, -1):
            if rupees(self.market.close[session, stock]) is not None:
                return session
        return None

    def mark(self, stock: int, t: int) -> Decimal:
        session = self.candle_before(stock, t)
        return Decimal(0) if session is None else rupees(self.market.close[session, stock]) or Decimal(0)

    def bridge(self, stock: int, t: int) -> Decimal | None:
        before = self.candle_before(stock, t - 1) if t > 0 else None
        if before is None or rupees(self.market.close[t, stock]) is None:
            return None
        if self.market.segment[t, stock] == self.market.segment[before, stock]:
            return None
        return rupees(self.market.open[t, stock]) or rupees(self.market.close[t, stock])

    def price(self, stock: int, t: int) -> Decimal | None:
        if rupees(self.market.close[t, stock]) is None:
            return None
        return rupees((self.market.open if self.strategy.trade_at == "open" else self.market.close)[t, stock])

    def tradable(self, stock: int, t: int) -> bool:
        market = self.market
        return (
            self.price(stock, t) is not None
            and market.volume[t, stock] > 0
            and market.high[t, stock] != market.low[t, stock]
        )

    def worth(self, stock: int, t: int) -> Decimal:
        """What one share counts for at the moment of trading."""
        known = self.price(stock, t) or self.bridge(stock, t)
        return known or self.mark(stock, t - 1 if self.strategy.trade_at == "open" else t)

    def carry_over(self, stock: int, t: int) -> None:
        new_price = self.bridge(stock, t)
        before = self.candle_before(stock, t)
        if new_price is not None:
            value = self.shares[stock] * self.mark(stock, t - 1)
            whole = int(value / new_price)
            self.cash += value - whole * new_price
            self.set_shares(stock, whole)
        elif before is not None and t - before >= self.strategy.delisted_after:
            value = self.shares[stock] * self.mark(stock, t)
            proceeds = value - charges(value, "sell", self.days[t], self.costs) - self.rounding(value, "sell", t)
            if self.cash + proceeds >= 0:
                self.cash += proceeds
                self.pay(value, "sell", t)
                self.set_shares(stock, 0)

    def rounding(self, value: Decimal, side: str, t: int) -> Decimal:
        """What one more fill adds to the rounding of the day's tax and duty."""
        sums = [sum(pair) for pair in zip(self.taxed, tax_and_duty(value, side, self.costs), strict=True)]
        return sum(Decimal(each.quantize(Decimal(1), ROUND_HALF_UP)) - each for each in sums) - self.rounded[t]

    def pay(self, value: Decimal, side: str, t: int) -> None:
        self.rounded[t] += self.rounding(value, side, t)
        for place, paid in enumerate(tax_and_duty(value, side, self.costs)):
            self.taxed[place] += paid

    def set_shares(self, stock: int, shares: int) -> None:
        if shares:
            self.shares[stock] = shares
        else:
            del self.shares[stock]

    def delisted(self, stock: int, t: int) -> bool:
        before = self.candle_before(stock, t)
        return t - (-1 if before is None else before) >= self.strategy.delisted_after

    def is_outside(self, stock: int, d: int) -> bool:
        return self.market.outside is not None and bool(self.market.outside[d, stock])

    def most(self, stock: int, t: int) -> int | None:
        """How many shares of one order fill; None if any number does."""
        cap = self.strategy.volume_cap
        if cap == 0:
            return None
        window = range(max(t - 60, 0), t)
        values = sorted(
            float(np.nan_to_num(self.market.close[s, stock] * self.market.volume[s, stock])) for s in window
        )
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        volume = self.market.volume[t, stock]
        return int(min(cap * 100 * middle / float(self.worth(stock, t) * 100), cap * volume))

    # decisions at the close of d

    def line(self, d: int, stocks: list[int]) -> list[int]:
        """Best first; those without a score or membership behind; the smaller lot first among equals."""

        def known(stock: int) -> bool:
            return bool(np.isfinite(self.scores[d, stock]) and self.market.member[d, stock])

        def place(stock: int) -> tuple[bool, bool, float, int]:
            score = float(self.scores[d, stock])
            missing = not np.isfinite(score)
            return not known(stock), missing, 0.0 if missing else -score, int(self.lots[d, stock])

        return sorted(stocks, key=place)

    def newcomers(self, d: int, place: Decimal, wanted: int) -> list[int]:
        good = [
            s
            for s in range(self.scores.shape[1])
            if np.isfinite(self.scores[d, s])
            and self.market.member[d, s]
            and s not in self.shares
            and not self.delisted(s, d)
            and self.mark(s, d) <= place
        ]
        return self.line(d, good)[: max(wanted, 0)]

    def number(self, given: int | str, d: int) -> int:
        """Of stocks at session d: itself, or so many percent of the members, half up, one at least."""
        if isinstance(given, int):
            return given
        share = Decimal(given.rstrip("%")) / 100 * int(self.market.member[d].sum())
        return max(int(share.quantize(Decimal(1), ROUND_HALF_UP)), 1)

    def decide(self, d: int, scored: int, nav: Decimal) -> tuple[list[int], list[int], int | None]:
        """Which leave, which enter, and over how many places weights are restored (None: they are not)."""
        rules = self.strategy
        top_k = self.number(rules.top_k, d)
        place = nav.quantize(PAISA) / top_k
        held = [stock for stock in self.shares if not self.is_outside(stock, d)]
        if rules.name == "topk_equal_weight":
            rebalance = scored % rules.rebalance_every == 0
            drop = scored > 0 and scored % rules.drop_every == 0
            if not rebalance and not drop:
                return [], [], None
            dropping = int(rules.drop_share * len(held) + 0.5) if drop else 0
            enter = self.newcomers(d, place, dropping + top_k - len(held))
            dropping = min(dropping, len(enter)) + max(len(held) - top_k, 0)
            leave = self.line(d, held)[len(held) - dropping :]
            return leave, enter, top_k if rebalance else None
        if rules.name == "topk_dropout":
            enter = self.newcomers(d, place, rules.n_drop + top_k - len(held))
            union = self.line(d, held + enter)
            dropping = rules.n_drop + max(len(held) - top_k, 0)
            worst = union[max(len(union) - dropping, 0) :]
            leave = [s for s in held if s in worst and d + 1 - self.bought_on[s] >= rules.hold_sessions]
            return leave, enter[: max(len(leave) + top_k - len(held), 0)], None
        if scored % rules.rebalance_every:
            return [], [], None
        everyone = range(self.scores.shape[1])
        if rules.name == "topk_buffer":
            ranked = self.line(d, [s for s in everyone if self.market.member[d, s] and np.isfinite(self.scores[d, s])])
            inside = ranked[: max(self.number(rules.keep_within, d), top_k)]
            kept = self.line(d, [s for s in held if s in inside])[:top_k]
            return [s for s in held if s not in kept], self.newcomers(d, place, top_k - len(kept)), top_k
        members = [s for s in everyone if self.market.member[d, s] and not self.delisted(s, d)]
        chosen = self.line(d, [s for s in members if np.isfinite(self.scores[d, s])])[:top_k]
        leave = [s for s in held if s not in chosen]
        return leave, [s for s in chosen if s not in self.shares], max(len(chosen), 1)

    # execution at t

    def slipped(self, stock: int, t: int, price: Decimal, side: str, shares: int) -> Decimal:
        bps = self.costs.slippage_bps
        if self.costs.slippage_volume_bps:
            bps += self.costs.slippage_volume_bps * 100.0 * shares / float(self.market.volume[t, stock])
        move = Decimal(int(float(price * 100) * bps / 10_000.0 + 0.5)) / 100
        return price + move if side == "buy" else max(price - move, PAISA)

    def buy_value(self, stock: int, t: int, shares: int) -> Decimal:
        return shares * self.slipped(stock, t, self.worth(stock, t), "buy", shares)

    def buy_cost(self, stock: int, t: int, shares: int) -> Decimal:
        value = self.buy_value(stock, t, shares)
        return value + charges(value, "buy", self.days[t], self.costs)

    def buy(self, stock: int, t: int, budget: Decimal) -> bool:
        if not self.tradable(stock, t):
            return False
        counts = range(1, max(int(budget / self.worth(stock, t)), 0) + 1)
        shares = bisect_right(counts, budget, key=lambda count: self.buy_cost(stock, t, count))

        def drawn(count: int) -> Decimal:
            return self.buy_cost(stock, t, count) + self.rounding(self.buy_value(stock, t, count), "buy", t)

        if (most := self.most(stock, t)) is not None:
            shares = min(shares, most)
        shares = bisect_right(range(1, shares + 1), self.cash, key=drawn)
        if shares == 0:
            return False
        self.cash -= drawn(shares)
        self.pay(self.buy_value(stock, t, shares), "buy", t)
        if stock not in self.shares:
            self.bought_on[stock] = t
        self.shares[stock] = self.shares.get(stock, 0) + shares
        return True

    def sell(self, stock: int, t: int, shares: int) -> None:
        if not self.tradable(stock, t):
            return
        if (most := self.most(stock, t)) is not None:
            shares = min(shares, most)
        if shares == 0:
            return
        value = shares * self.slipped(stock, t, self.worth(stock, t), "sell", shares)
        proceeds = value - charges(value, "sell", self.days[t], self.costs) - self.rounding(value, "sell", t)
        if self.cash + proceeds >= 0:
            self.cash += proceeds
            self.pay(value, "sell", t)
            self.set_shares(stock, self.shares[stock] - shares)

    def trade(self, t: int, leave: list[int], enter: list[int], places: int | None) -> None:
        for stock in sorted(leave):
            if stock in self.shares:
                self.sell(stock, t, self.shares[stock])
        names = len(self.shares)
        if places is None:
            place = self.floor(self.cash / max(self.number(self.strategy.top_k, t - 1) - names, 1))
        else:
            equity = self.cash + sum(held * self.worth(stock, t) for stock, held in self.shares.items())
            place = self.floor(equity / places)
            kept = [stock for stock in sorted(self.shares) if stock not in leave]
            for stock in kept:
                too_many = int((self.shares[stock] * self.worth(stock, t) - place) / self.worth(stock, t))
                if too_many >= 1:
                    self.sell(stock, t, too_many)
            for stock in kept:
                if stock in self.shares and self.market.member[t - 1, stock]:
                    self.buy(stock, t, place - self.shares[stock] * self.worth(stock, t))
        for stock in enter:
            if names < self.number(self.strategy.top_k, t - 1) and self.buy(stock, t, place):
                names += 1

    @staticmethod
    def floor(amount: Decimal) -> Decimal:
        return Decimal(int(amount * 100)) / 100
