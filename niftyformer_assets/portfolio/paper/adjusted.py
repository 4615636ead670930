"""Whether past closes read otherwise because prices were adjusted, or because they were corrected.

For a split, a bonus or an extraordinary dividend every close before it is multiplied by one factor; a correction
changes single ones, and by little. Closes are paise, by session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

# An adjusted price may be rounded to the tick of 5 paise.
ROUNDING = 3
# What moves less was corrected.
LEAST = Fraction(1, 50)
# Of closes that were provisional: so far, as a share, is a correction from the factor; and a factor that no two closes
# tell exactly has whole numbers as small as splits and bonuses mostly do, up to 1 for 10.
PROVISIONAL, SMALL = Fraction(1, 200), 11


def adjustment(was: Mapping[str, int], now: Mapping[str, int]) -> Fraction | None:
    """The factor by which most closes were multiplied, the simplest that explains them; None where there is none.

    Args:
        was, now: of the same sessions, above 0.
    """
    ratios = sorted(Fraction(now[day], was[day]) for day in was)
    if not ratios or all(ratio == 1 for ratio in ratios):
        return None
    bounds = [(Fraction(max(now[day] - ROUNDING, 1), was[day]), Fraction(now[day] + ROUNDING, was[day])) for day in was]
    low, high, together = _most_together(bounds)
    factor, middle = _simplest(low, high), ratios[len(ratios) // 2]
    small = _simplest(middle * (1 - PROVISIONAL), middle * (1 + PROVISIONAL))
    # One provisional close more may fit a factor that is not as simple.
    if max(small.numerator, small.denominator) <= SMALL and (
        together < 2 or sum(low <= small <= high for low, high in bounds) >= together - 1
    ):
        factor = small
    elif together < 2:
        return None
    explained = sum(abs(ratio / factor - 1) < PROVISIONAL for ratio in ratios)
    return factor if abs(factor - 1) >= LEAST and 2 * explained > len(ratios) else None


def _most_together(bounds: Sequence[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction, int]:
    """The stretch that most intervals have in common, and how many."""
    best, within = (bounds[0], 0), 0
    # Where one begins as another ends both hold.
    edges = sorted([(low, 0) for low, _ in bounds] + [(high, 1) for _, high in bounds])
    for place, (edge, ends) in enumerate(edges):
        within += -1 if ends else 1
        if within > best[1]:
            best = ((edge, edges[place + 1][0]), within)
    return (*best[0], best[1])


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of the smallest whole numbers between two, both included and above 0."""
    whole = low.numerator // low.denominator
    if whole == low:
        return Fraction(whole)
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / _simplest(1 / (high - whole), 1 / (low - whole))
