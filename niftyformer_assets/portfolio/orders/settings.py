"""What decides on the orders that are proposed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from niftyformer_assets.require import require

# What `holdings` is to be for the account that is logged in.
KITE = "kite"


@dataclass(frozen=True)
class OrderSettings:
    """How the signal's target becomes orders of a real account; without `holdings` none are proposed.

    holdings: `kite` for the account that is logged in, or a CSV file with the columns symbol, quantity and
        average_price, as Kite's Console gives it too.
    cash: rupees at hand; of an account that is logged in at most that much of its money, all of it by itself.
    capital: rupees that follow the signal at most; by itself the cash and what is held of the stocks that the signal
        speaks of.
    keep: symbols, parted by commas, that are the person's own, and are neither sold nor bought.
    sell_others: also sell what is held and the signal does not speak of.
    price_band: how far a limit price may lie from the last close, as a share of it: above for a buy, below for a sell.
    volume_cap: the value of an order at most, as a share of the stock's median traded value of 60 sessions; 0 = no cap.
    sale_credit: the share of what sales bring that buys of the same day may use; of shares that are not delivered yet
        (T1) it is nothing.
    no_trade: a CSV file with the columns symbol and reason, of stocks that are not to be traded, such as those under
        ASM or GSM.
    basket_orders: how many orders one basket of Kite takes.
    """

    __pydantic_config__ = {"extra": "forbid"}

    holdings: str = ""
    cash: float | None = None
    capital: float | None = None
    keep: str = ""
    sell_others: bool = False
    price_band: float = 0.02
    volume_cap: float = 0.02
    sale_credit: float = 0.8
    no_trade: Path | None = None
    basket_orders: int = 10

    def __post_init__(self) -> None:
        require(self.cash is None or self.cash >= 0, "cash must not be negative")
        require(self.capital is None or self.capital > 0, "capital must be above 0")
        require(0 <= self.price_band < 0.2, "price_band must be at least 0 and below 0.2")
        require(0 <= self.volume_cap <= 1, "volume_cap must lie between 0 (none) and 1")
        require(0 <= self.sale_credit <= 1, "sale_credit must lie between 0 and 1")
        require(1 <= self.basket_orders <= 100, "basket_orders must lie between 1 and 100")

    @property
    def kept(self) -> frozenset[str]:
        """The symbols that `keep` names."""
        return frozenset(name.strip().upper() for name in self.keep.split(",") if name.strip())
