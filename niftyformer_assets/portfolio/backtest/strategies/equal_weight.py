"""The best names, or the whole universe, chosen anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from niftyformer_assets.portfolio.backtest.strategy_registry import Rebalanced, strategy

if TYPE_CHECKING:
    from niftyformer_assets.portfolio.backtest.layout import Book, Ranking, Rules, Tape


@strategy("equal_weight")
@dataclass(frozen=True)
class EqualWeight(Rebalanced):
    """Holds the `top_k` best scored names, chosen anew every `rebalance_every` sessions (with every stock scored alike
    it is the equal-weight universe).
    """

    passes_over_dear_names: ClassVar[bool] = False

    @classmethod
    def rule(cls) -> Callable[..., Any]:
        from niftyformer_assets.compiling import step

        @step
        def equal_weight(
            d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
        ) -> tuple[int, bool, int]:
            """Whatever was held; the places are as many as there are names."""
            top_k = rules.top_k[d]
            if age % rules.rebalance_every != 0:
                return 0, False, top_k
            chosen, entering = 0, 0
            for j in range(len(book.shares)):
                book.leave[j] = book.shares[j] > 0
            for r in range(ranking.scored[d]):
                j = ranking.stock_of[ranking.order[d, r]]
                if chosen == top_k:
                    break
                if not tape.member[d, j] or tape.absent[d, j] >= rules.delisted_after:
                    continue
                chosen += 1
                if book.shares[j] > 0:
                    book.leave[j] = False
                else:
                    book.enter[entering] = j
                    entering += 1
            return entering, True, max(chosen, 1)

        return equal_weight
