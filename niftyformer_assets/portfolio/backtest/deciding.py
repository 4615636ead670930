"""The one function that the engine asks what leaves and what enters: that of the strategy, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from niftyformer_assets.compiling import step
from niftyformer_assets.portfolio.backtest.layout import Book, Ranking, Rules, Tape
from niftyformer_assets.portfolio.backtest.strategy_registry import registered


def _dispatch(functions: list[Callable[..., Any]], code: int = 0) -> Callable[..., Any]:
    """One compiled function that calls the strategy whose place in `registered()` is `rules.strategy`."""
    this = functions[0]
    if len(functions) == 1:
        return this
    others = _dispatch(functions[1:], code + 1)

    @step
    def decide(
        d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
    ) -> tuple[int, bool, int]:
        if rules.strategy == code:
            return this(d, age, equity, book, tape, ranking, rules)
        return others(d, age, equity, book, tape, ranking, rules)

    return decide


decide = _dispatch([each.rule() for each in registered().values()])
