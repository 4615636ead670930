"""The published strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from niftyformer_assets.portfolio.backtest.strategy_registry import Rebalanced, strategy
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.portfolio.backtest.layout import Book, Ranking, Rules, Tape


@strategy("topk_equal_weight")
@dataclass(frozen=True)
class TopkEqualWeight(Rebalanced):
    """Restores equal weights every `rebalance_every` sessions and replaces the worst `drop_share` of the holdings
    every `drop_every` sessions (the published setting).

    drop_every: sessions between two replacements of the worst
    drop_share: share of the holdings that is replaced then
    """

    drop_every: int = 10
    drop_share: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.drop_every >= 1, "drop_every must be at least 1")
        require(0 <= self.drop_share <= 1, "drop_share must lie between 0 and 1")

    @classmethod
    def rule(cls) -> Callable[..., Any]:
        from niftyformer_assets.compiling import step
        from niftyformer_assets.portfolio.backtest.choosing import candidates, let_the_worst_leave, staying

        @step
        def topk_equal_weight(
            d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
        ) -> tuple[int, bool, int]:
            """The worst are replaced as far as others are at hand; free places are filled."""
            top_k = rules.top_k[d]
            rebalance = age % rules.rebalance_every == 0
            drop = age > 0 and age % rules.drop_every == 0
            if not (rebalance or drop):
                return 0, False, top_k
            names = staying(book)
            dropping = int(rules.drop_share * names + 0.5) if drop else 0
            entering = candidates(d, dropping + top_k - names, equity // top_k, book, tape, ranking, rules)
            let_the_worst_leave(d, min(dropping, entering) + max(names - top_k, 0), book, tape, ranking)
            return entering, rebalance, top_k

        return topk_equal_weight
