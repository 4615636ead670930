"""What the rules of strategies share: compiled, on [T, N] arrays."""

from __future__ import annotations

from niftyformer_assets.compiling import step
from niftyformer_assets.portfolio.backtest.execution import refuse
from niftyformer_assets.portfolio.backtest.layout import BUY, ENTER, NONE, UNAFFORDABLE, Book, Ranking, Rules, Tape


@step
def staying(book: Book) -> int:
    """How many names are held and not about to leave."""
    names = 0
    for j in range(len(book.shares)):
        if book.shares[j] > 0 and not book.leave[j]:
            names += 1
    return names


@step
def candidates(d: int, wanted: int, place: int, book: Book, tape: Tape, ranking: Ranking, rules: Rules) -> int:
    """The best scored members not held, not delisted, and of which one share fits into a place; best first."""
    found = 0
    for r in range(ranking.scored[d]):
        if found >= wanted:
            break
        j = ranking.stock_of[ranking.order[d, r]]
        if book.shares[j] > 0 or not tape.member[d, j] or tape.absent[d, j] >= rules.delisted_after:
            continue
        if tape.mark[d, j] > place:
            refuse(d + 1, j, BUY, ENTER, UNAFFORDABLE, NONE, NONE, book)
            continue
        book.enter[found] = j
        found += 1
    return found


@step
def place_in_line(d: int, j: int, tape: Tape, ranking: Ranking) -> int:
    """Place of stock j in the line, 0 the best; behind all others without a score or no longer a member."""
    rank = ranking.rank[d, ranking.score_of[j]]
    if rank < ranking.scored[d] and tape.member[d, j]:
        return rank
    return len(ranking.score_of) + rank


@step
def rank_among_members(d: int, j: int, tape: Tape, ranking: Ranking) -> int:
    """How many members rank before stock j, 0 for the best; more than there are without a score or no member."""
    own = place_in_line(d, j, tape, ranking)
    before = 0
    for r in range(min(own, ranking.scored[d])):
        if tape.member[d, ranking.stock_of[ranking.order[d, r]]]:
            before += 1
    return before if own < len(ranking.score_of) else own


@step
def let_the_worst_leave(d: int, names: int, book: Book, tape: Tape, ranking: Ranking) -> None:
    """Let so many of the holdings leave that are last in line, if any."""
    for _ in range(names):
        worst, last = -1, -1
        for j in range(len(book.shares)):
            if book.shares[j] > 0 and not book.leave[j]:
                own = place_in_line(d, j, tape, ranking)
                if own > last:
                    worst, last = j, own
        book.leave[worst] = True
