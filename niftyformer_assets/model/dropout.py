"""What dropout sets to 0 in a step, drawn before the network is run.

So a step plain, captured and compiled drops the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

# Values that one number of 64 bits is enough for: the generator of the CPU draws one at a time.
A_DRAW = 4


@dataclass(frozen=True)
class Dropout:
    """A place of a network at which a step sets values to 0.

    share: of the values, on average.
    shape: of the values.
    stocks, factors: which of its dimensions are of stocks or of factors.
    """

    share: float
    shape: tuple[int, ...]
    stocks: tuple[int, ...] = ()
    factors: tuple[int, ...] = ()

    def repeated(self, count: int) -> Dropout:
        """The same so many times, one below the other: [count, ...]."""
        stocks, factors = (tuple(axis + 1 for axis in axes) for axes in (self.stocks, self.factors))
        return Dropout(self.share, (count, *self.shape), stocks, factors)

    def real(self, stocks: int, factors: int) -> tuple[slice, ...]:
        """Where the values of so many stocks and factors lie; behind them are those that fill up a size."""
        sizes = {**dict.fromkeys(self.stocks, stocks), **dict.fromkeys(self.factors, factors)}
        return tuple(slice(sizes.get(axis)) for axis in range(len(self.shape)))


class Dropped:
    """What the places of a network drop in a step, drawn into tensors that stay where they are.

    Attributes:
        at: by the place's name what is set to 0 there, bool, of its shape.
    """

    def __init__(self, places: Mapping[str, Dropout], device: torch.device) -> None:
        self.places = {name: place for name, place in places.items() if place.share > 0}
        self.at = {name: torch.zeros(p.shape, dtype=torch.bool, device=device) for name, p in self.places.items()}

    def draw(self, stocks: int, factors: int) -> None:
        """Draw for so many stocks and factors, in the order of the places."""
        for name, place in self.places.items():
            draw(self.at[name], place.share, place.real(stocks, factors))


def draw(dropped: Tensor, share: float, real: tuple[slice, ...]) -> None:
    """Fill a bool tensor with a `share` of the values, in place.

    On a CPU only what is `real` is drawn for, so that what fills up a size, and reaches nothing, changes no draw. On a
    GPU, where the order of draws depends on how many there are, all is.
    """
    if dropped.device.type != "cpu":
        dropped.bernoulli_(share)
        return
    drawn_for = dropped[real]
    count = math.prod(drawn_for.shape)
    draws = torch.empty(-(-count // A_DRAW), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    drawn_for.copy_(draws[:count].view(drawn_for.shape) < round(share * 2**16) - 2**15)


def without(x: Tensor, dropped: Tensor | None, share: float) -> Tensor:
    """x with what is dropped set to 0 and the rest scaled by 1 / (1 - share), so that its mean stays.

    Args:
        dropped: bool, of a shape that expands to that of x; None is nothing.
    """
    return x if dropped is None else x.masked_fill(dropped, 0) * (1 / (1 - share))
