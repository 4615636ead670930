"""What the made-up market is made of. Standard library only: partition keys are read from here."""

from __future__ import annotations

from dataclasses import dataclass, field

from niftyformer_assets.require import require

# Accepted by every simulated exchange that is not told otherwise; they open nothing but that.
API_KEY = "simulated"
API_SECRET = "simulated-secret"

# NSE's own names, one from each of eight macro-economic sectors.
INDUSTRIES = (
    "Financial Services",
    "Information Technology",
    "Healthcare",
    "Fast Moving Consumer Goods",
    "Capital Goods",
    "Power",
    "Metals & Mining",
    "Automobile and Auto Components",
)


@dataclass(frozen=True)
class MadeUpSettings:
    """The made-up market (see `made_up` for what is planted in it).

    seed: another seed is another market.
    stocks: how many; stock i (from 0) is of industry i modulo 8.
    predictability: whether the pattern in the candles says anything about the next returns.
    strength: share of a stock's own noise that the pattern explains, as a correlation: the
        correlation of the score at t with the stock's own (non-market, non-sector) return of t+1.
    persistence: how much of the score is left a session later.
    late_listings: the last so many stocks list late, the k-th (from 1) at session k × listing_gap.
    listing_gap: in sessions.
    others: stocks beside these, which only indices larger than the NIFTY-200 have; nothing of the others changes.
    """

    __pydantic_config__ = {"extra": "forbid"}

    seed: int = 42
    stocks: int = 48
    predictability: bool = True
    strength: float = 0.2
    persistence: float = 0.95
    late_listings: int = 3
    listing_gap: int = 40
    # A market is known by what is above: with others it is the same one, and more.
    others: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed must not be negative")
        require(2 <= self.stocks <= 999, "stocks must be between 2 and 999")
        require(0 <= self.strength < 1, "strength is a correlation: at least 0 and below 1")
        require(0 <= self.persistence < 1, "persistence must be at least 0 and below 1")
        require(0 <= self.late_listings < self.stocks, "late_listings must be at least 0 and below stocks")
        require(self.listing_gap >= 1, "listing_gap must be at least 1 session")
        require(0 <= self.others <= 999 - self.stocks, "others must be at least 0, and with stocks at most 999")


def made_up_symbols(settings: MadeUpSettings) -> list[str]:
    """The symbols of the made-up market, in the order of its stocks and without others; no price is made for it.

    The second holds a `&` and the third a `-`, as `M&M` and `BAJAJ-AUTO` do, so that whatever
    trips over such names does so out of the box.
    """
    marks = {1: "&", 2: "-"}
    return [f"DEMO{marks.get(stock, '')}{stock + 1:03d}" for stock in range(settings.stocks)]


def other_symbols(settings: MadeUpSettings) -> list[str]:
    """The symbols of the stocks beside these."""
    return [f"DEMO{stock + 1:03d}" for stock in range(settings.stocks, settings.stocks + settings.others)]
