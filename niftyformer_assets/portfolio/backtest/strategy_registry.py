"""What a strategy is, and how one is registered by name.

A strategy is a frozen dataclass in a file of `backtest/strategies/`: its docstring says what it does, its fields are
its settings, which an experiment gives under `strategy`, and its `rule` decides. Nothing else has to know of it:

    @strategy("hold_best")
    @dataclass(frozen=True)
    class HoldBest(Strategy):
        \"\"\"buys the best `top_k` names and keeps them for `hold_every` sessions.

        hold_every: sessions between two purchases
        \"\"\"

        hold_every: int = 20

        @classmethod
        def rule(cls):
            from niftyformer_assets.compiling import step  # settings do without the compiler
            from niftyformer_assets.portfolio.backtest.choosing import candidates

            @step
            def hold_best(d, age, equity, book, tape, ranking, rules):
                ...
                return entering, False, rules.top_k[d]

            return hold_best

A rule is compiled into the engine. It is given the session d; age, how many sessions that had a score went before;
and equity, paise. Holdings that are outside the universe are marked in `book` as leaving already, and count as gone.
It marks in `book` which other names leave and, best first, which enter; and returns how many enter, whether equal
weights are restored, and into how many places equity is divided. Its settings are in `rules` under their names: an
`int` or a `float` as a number, a `Places` as the number of stocks that it is on each session.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from functools import cache
from typing import Any, ClassVar, TypeVar, get_type_hints

import numpy as np

from niftyformer_assets.imports import load_all
from niftyformer_assets.registering import Registry
from niftyformer_assets.require import require

# A number of stocks, or a share of the universe, such as 20%.
Places = int | float | str
_SHARE = re.compile(r"[0-9]+(\.[0-9]+)?%")
_STRATEGIES: Registry[Strategy] = Registry("strategy")
_S = TypeVar("_S", bound="type[Strategy]")


def require_number_or_share(name: str, given: Places) -> None:
    """Raise ValueError unless a setting is a number of stocks or a share of them."""
    whole = isinstance(given, int) and not isinstance(given, bool) and given >= 1
    part = isinstance(given, str) and _SHARE.fullmatch(given) is not None and 0 < float(given[:-1]) <= 100
    require(
        whole or part,
        f"{name} must be a number of stocks, at least 1, or a share of the universe such as 20%: it is {given!r}",
    )


def places(given: Places, members: np.ndarray) -> np.ndarray:
    """How many stocks a setting stands for, int64 of the shape of `members`; of a share at least one.

    Args:
        members: how many stocks the universe has.
    """
    if isinstance(given, str):
        return np.maximum(np.floor(float(given[:-1]) / 100 * members + 0.5), 1).astype(np.int64)
    return np.full(np.shape(members), given, dtype=np.int64)


@dataclass(frozen=True)
class Strategy(ABC):
    """Which names leave and which enter, decided at the close of a session.

    name: that it is registered under.
    passes_over_dear_names: whether the next best name is taken where one share costs more than a place
        (equity / top_k).
    """

    name: ClassVar[str]
    passes_over_dear_names: ClassVar[bool] = True

    @classmethod
    def own_fields(cls) -> tuple[Field[Any], ...]:
        """Its settings."""
        return fields(cls)

    @classmethod
    def kinds(cls) -> dict[str, Any]:
        """The type of each of its settings: int, float or Places."""
        types = get_type_hints(cls)
        return {field.name: types[field.name] for field in cls.own_fields()}

    @property
    def decides_every(self) -> int:
        """Of how many sessions it decides on one; books may start on each of them."""
        return 1

    def require_fit(self, top_k: Places) -> None:  # noqa: B027
        """Raise ValueError where it cannot be followed with so many places."""

    @classmethod
    @abstractmethod
    def rule(cls) -> Callable[..., Any]:
        """The compiled function that decides."""


@dataclass(frozen=True)
class Rebalanced(Strategy, ABC):
    """One that decides on some sessions only.

    rebalance_every: sessions between two restorations of equal weights
    """

    rebalance_every: int = 5

    def __post_init__(self) -> None:
        require(self.rebalance_every >= 1, "rebalance_every must be at least 1")

    @property
    def decides_every(self) -> int:
        return self.rebalance_every


def strategy(name: str) -> Callable[[_S], _S]:
    """Register a strategy under a name (a decorator).

    Args:
        name: small letters, digits and underscores; settings and reports call it so.

    Raises:
        ValueError: it is no such name, or taken.
        TypeError: one of its settings has no default, or is neither int, float nor Places.
    """

    def enter(cls: _S) -> _S:
        for field in cls.own_fields():
            if cls.kinds()[field.name] not in (int, float, Places):
                raise TypeError(f"setting {field.name} of strategy {name} must be int, float or Places")
        _STRATEGIES.enter(name, cls)
        return cls

    return enter


@cache
def registered() -> Mapping[str, type[Strategy]]:
    """Every strategy in `backtest/strategies/` by name, the published one first."""
    from niftyformer_assets.portfolio.backtest import strategies

    load_all(strategies)
    published = "topk_equal_weight"
    known = _STRATEGIES.by_name
    return {name: known[name] for name in (published, *(each for each in known if each != published))}
