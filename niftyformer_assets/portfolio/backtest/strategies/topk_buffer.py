"""The best names with a buffer: what is held stays for as long as it ranks well enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from niftyformer_assets.portfolio.backtest.strategy_registry import (
    Places,
    Rebalanced,
    require_number_or_share,
    strategy,
)
from niftyformer_assets.require import require

if TYPE_CHECKING:
    from niftyformer_assets.portfolio.backtest.layout import Book, Ranking, Rules, Tape


@strategy("topk_buffer")
@dataclass(frozen=True)
class TopkBuffer(Rebalanced):
    """Keeps a name while it is among the best `keep_within`, fills free places from the top and restores equal
    weights, every `rebalance_every` sessions.

    keep_within: `topk_buffer` keeps a name while no more members than this have its score or a better one: a number,
        or a share of the universe.
    """

    keep_within: Places = "20%"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number_or_share("keep_within", self.keep_within)

    def require_fit(self, top_k: Places) -> None:
        alike = isinstance(top_k, int) == isinstance(self.keep_within, int)
        narrow = alike and float(str(self.keep_within).rstrip("%")) < float(str(top_k).rstrip("%"))
        require(not narrow, f"keep_within {self.keep_within} must not be below top_k {top_k}")

    @classmethod
    def rule(cls) -> Callable[..., Any]:
        from niftyformer_assets.compiling import step
        from niftyformer_assets.portfolio.backtest.choosing import (
            candidates,
            let_the_worst_leave,
            rank_among_members,
            staying,
        )

        @step
        def topk_buffer(
            d: int, age: int, equity: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules
        ) -> tuple[int, bool, int]:
            """A name without a score, or no member any more, is in no buffer."""
            top_k = rules.top_k[d]
            if age % rules.rebalance_every != 0:
                return 0, False, top_k
            for j in range(len(book.shares)):
                if book.shares[j] > 0 and rank_among_members(d, j, tape, ranking) >= max(rules.keep_within[d], top_k):
                    book.leave[j] = True
            let_the_worst_leave(d, staying(book) - top_k, book, tape, ranking)
            entering = candidates(d, top_k - staying(book), equity // top_k, book, tape, ranking, rules)
            return entering, True, top_k

        return topk_buffer
