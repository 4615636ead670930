"""Qlib's strategy (qlib/contrib/strategy/signal_strategy.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from niftyformer_assets.portfolio.backtest.strategy_registry import Places, Strategy, strategy
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.portfolio.backtest.layout import Book, Ranking, Rules, Tape


@strategy("topk_dropout")
@dataclass(frozen=True)
class TopkDropout(Strategy):
    """Swaps up to `n_drop` names each session, as Qlib's strategy does.

    n_drop: names that `topk_dropout` swaps a session
    hold_sessions: `topk_dropout` keeps a name at least this long.
    """

    n_drop: int = 2
    hold_sessions: int = 1

    def __post_init__(self) -> None:
        require(self.n_drop >= 0, "n_drop must be at least 0")
        require(self.hold_sessions >= 0, "hold_sessions must be at least 0")

    def require_fit(self, top_k: Places) -> None:
        require(isinstance(top_k, str) or self.n_drop <= top_k, f"n_drop {self.n_drop} must not be above top_k {top_k}")

    @classmethod
    def rule(cls) -> Callable[..., Any]:
        from niftyformer_assets.compiling import step
        from niftyformer_assets.portfolio.backtest.choosing import candidates, place_in_line, staying

        @step
        def topk_dropout(
            d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
        ) -> tuple[int, bool, int]:
            """Of the holdings and the best names not held, sell holdings among the worst; buy the best of the rest."""
            names, top_k = staying(book), rules.top_k[d]
            dropping = rules.n_drop + max(names - top_k, 0)
            found = candidates(d, rules.n_drop + top_k - names, equity // top_k, book, tape, ranking, rules)
            line = np.empty(names + found, dtype=np.int64)
            for queued in range(found):
                line[queued] = place_in_line(d, book.enter[queued], tape, ranking)
            queued = found
            for j in range(len(book.shares)):
                if book.shares[j] > 0 and not book.leave[j]:
                    line[queued] = place_in_line(d, j, tape, ranking)
                    queued += 1
            leaving = 0
            for j in range(len(book.shares)):
                if book.shares[j] == 0 or book.leave[j] or d + 1 - book.since[j] < rules.hold_sessions:
                    continue
                own, worse = place_in_line(d, j, tape, ranking), 0
                for other in line:
                    if other > own:
                        worse += 1
                if worse < dropping:
                    book.leave[j] = True
                    leaving += 1
            return min(found, max(leaving + top_k - names, 0)), False, top_k

        return topk_dropout
