"""What the exchange knows behind its routes."""

from __future__ import annotations

from collections import Counter

from niftyformer_assets.exchange.account import Account
from niftyformer_assets.exchange.clock import Clock, wall_clock
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets.exchange.login import Login
from niftyformer_assets.exchange.market import ServedMarket
from niftyformer_assets.exchange.settings import API_KEY, API_SECRET
from niftyformer_assets.exchange.traffic import SlidingWindow, Traffic
from niftyformer_assets.exchange.view import View

HISTORICAL_PER_SECOND = 3
OTHERS_PER_SECOND = 10


class Exchange:
    """The state behind the routes. All of it is in memory.

    clock: what time it is on the exchange; with None everything in the market has happened and
        tokens go by the wall clock. historical_per_second: None lifts all rate limits.
    """

    def __init__(
        self,
        market: ServedMarket,
        *,
        api_key: str = API_KEY,
        api_secret: str = API_SECRET,
        faults: Faults | None = None,
        clock: Clock | None = None,
        historical_per_second: int | None = HISTORICAL_PER_SECOND,
        redirect_url: str | None = None,
    ) -> None:
        self.market = market
        self.clock = clock
        self.redirect_url = redirect_url
        self.login = Login(api_key, api_secret, clock or wall_clock)
        self.traffic = Traffic()
        self.history_limit = SlidingWindow(historical_per_second)
        self.other_limit = SlidingWindow(None if historical_per_second is None else OTHERS_PER_SECOND)
        self.faults = faults or Faults()
        self.account = Account()

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        """Switch to these faults; what they count starts anew."""
        self._faults = faults
        self._attempts: Counter[str] = Counter()
        self._answers_left = faults.expire_after

    @property
    def view(self) -> View:
        return View(self.market, self.faults, self.clock() if self.clock is not None else None)

    def next_fault(self, path: str) -> tuple[str | None, int]:
        """The fault that hits the next answer for `path`, and which request for it this is."""
        attempt = self._attempts[path]
        self._attempts[path] += 1
        return self.faults.on_answer(path, attempt), attempt

    def count_answer(self) -> None:
        """Let all access tokens die when the faults say so, once."""
        if self._answers_left == 0:
            self.login.end_all()
            self._answers_left = None
        elif self._answers_left is not None:
            self._answers_left -= 1
