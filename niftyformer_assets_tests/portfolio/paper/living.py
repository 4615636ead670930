"""A made-up market that is lived through: what was known on each evening and morning, and the account that followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.exchange.clock import IST
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.made_up import make_market, planted_score
from niftyformer_assets.exchange.settings import MadeUpSettings, made_up_symbols
from niftyformer_assets.exchange.view import View
from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.portfolio.backtest.market import Market, median_traded_value
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.paper.account import account_of
from niftyformer_assets.portfolio.paper.following import Given, PaperRules, follow, given_of, open_account
from niftyformer_assets.portfolio.paper.ledger import Ledger, append_rows, read_ledger
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.portfolio.signals.decision import decide
from niftyformer_assets.store.arrays import Axes

MADE_UP = MadeUpSettings(stocks=14, late_listings=0)
# Thursday, 26 January is a holiday.
SESSIONS = sessions(date(2023, 1, 2), date(2023, 3, 31))[:45]
FIRST, LAST = 5, 36  # the session of the first signal, and the last that is lived through
EVENING, MORNING = time(20, 0), time(8, 0)


@dataclass
class Life:
    """stood: what was known of each session when the account followed it, by session. leaves: since which session a
    stock is in the index no more."""

    folder: Path
    strategy: StrategySettings
    faults: Faults = field(default_factory=Faults)
    costs: CostSettings = field(default_factory=lambda: CostSettings(slippage_bps=3))
    signals: dict[str, Given] = field(default_factory=dict)
    stood: dict[int, Market] = field(default_factory=dict)
    leaves: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.served = make_market(SESSIONS, MADE_UP)
        self.scores = planted_score(SESSIONS, MADE_UP)
        self.rules = PaperRules("tiny", self.strategy, self.costs, 3)

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.folder / "ledger.jsonl")

    def known(self, t: int, at: time, until: int | None = None) -> Market:
        """The market up to a session, as it is known on that day, or on a later session's."""
        day = SESSIONS[t if until is None else until].astype(object)
        moment = datetime.combine(day, at, IST)
        view = View(self.served, self.faults, moment)
        symbols = made_up_symbols(MADE_UP)
        listings = {listing.origin: listing for listing in view.listings().values()}
        values = np.full((5, t + 1, len(symbols)), np.nan)
        for place, symbol in enumerate(symbols):
            rows = view.candles(listings[symbol], SESSIONS[0].astype(object), SESSIONS[t].astype(object))
            at_hand = np.searchsorted(SESSIONS, np.array([str(row[0])[:10] for row in rows], dtype="datetime64[D]"))
            values[:, at_hand, place] = np.array([row[1:] for row in rows], dtype=float).T
        arrays = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
        shape = arrays["close"].shape
        member = np.ones(shape, dtype=bool)
        for symbol, since in self.leaves.items():
            member[since:, symbols.index(symbol)] = False
        return Market(
            Axes(SESSIONS[: t + 1], tuple(symbols)),
            member=member,
            segment=np.zeros(shape, dtype=np.int32),
            traded_value=median_traded_value(arrays["close"], arrays["volume"]),
            **arrays,
        )

    def signal(self, t: int, market: Market) -> None:
        """Give the signal of a session by the strategy, as `daily_signals` does; an earlier one of it is replaced."""
        values = self.scores[: t + 1]
        s, j = np.nonzero(np.isfinite(values))
        made = SESSIONS[s].astype("datetime64[ns]")
        told = {"date_made": made, "date_predicted": made, "horizon": 2, "symbol": np.array(market.axes.symbols)[j]}
        predictions = pd.DataFrame({**told, "split": "later", "return": values[s, j], "p_up": 0.5})
        scores = Scores(market.axes, values)
        decision = decide(predictions, scores, market, SESSIONS[t + 1], self.strategy, self.costs, 3)
        day = str(SESSIONS[t])
        self.signals[day] = given_of(decision.table, day, f"{len(self.signals):064d}")

    def follow(self, t: int, market: Market) -> Ledger:
        """What a run of the account does."""
        ledger = self.ledger
        if not ledger.rows:
            ledger = append_rows(ledger, open_account(self.rules, self.signals[str(SESSIONS[t])]))
        self.stood.setdefault(t, market)
        return append_rows(
            ledger, follow(account_of(ledger), market.rows(slice(FIRST, None)), self.signals, self.rules)
        )

    def live(self, mornings: bool = False, runs: range = range(FIRST, LAST + 1)) -> Ledger:
        """Each evening a signal and a run of the account; with mornings both once more, when candles are final."""
        for t in range(FIRST, LAST + 1):
            evening = self.known(t, EVENING)
            self.signal(t, evening)
            if t in runs:
                self.follow(t, evening)
            if mornings:
                # The next calendar day is as good as the next session.
                final = self.known(t, MORNING, t + 1)
                self.signal(t, final)
                self.follow(t, final)
        return self.ledger

    def as_they_stood(self) -> Market:
        """Each session as it was known when it was followed, from the opening on."""
        last = max(self.stood)
        of = range(FIRST, last + 1)
        arrays = {name: np.array([self.stood[t].arrays()[name][t] for t in of]) for name in self.stood[last].arrays()}
        return Market(axes=self.stood[last].rows(slice(FIRST, None)).axes, **arrays)

    def scores_on(self, market: Market) -> Scores:
        return Scores(market.axes, self.scores[FIRST : FIRST + len(market.axes.dates)])
