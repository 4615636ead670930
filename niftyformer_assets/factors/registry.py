"""Factor sets by name: what an experiment's `factor_set` may say, each one panel.

A row says what a set is; what computes it is loaded when it is asked for. A set is added by a row here and a module of
its own with the function; one that puts two others together is a row alone. A user's own factors, registered in
`own.py`, make up the set `own`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from niftyformer_assets.factors.catalogue import ALPHA158, ALPHA360, CONSTANT_360
from niftyformer_assets.factors.nse93.catalogue import NSE93, NSE93_LATE, NSE93_SECTORS, NSE93_WARM_UP
from niftyformer_assets.imports import PACKAGE, sources

if TYPE_CHECKING:
    from niftyformer_assets.factors.registration import OwnFactor
    from niftyformer_assets.market.panel import Panel

_HERE = Path(__file__).parent


class Compute(Protocol):
    """Computes a set's factors; what is given and comes back is told at `FactorSet`."""

    def __call__(
        self, panel: Panel, since: int = 0, threads: int | None = None, sectors: np.ndarray | None = None, /
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class FactorSet:
    """One panel of factors.

    words: what they are, the beginning of a sentence.
    kinds: what they are computed with, shown in the web UI.
    listed: gives the names of its F factors, in order.
    compute: (panel, since, threads, sectors) -> float32 [F, T - since, N], NaN where missing, never ±inf.
        A value may depend on its own session and earlier ones only. sectors: int [T, N], the number of each stock's
        sector on the session, −1 where it is not known; None for a set that is made of candles alone.
    modules: whose code makes the values, with what they import.
    by_sector: whether sectors decide on values.
    constant: the names of those that have one value by their definition.
    warm_up: how many sessions of a stock may lie before its first values.
    late: the names of those that need years of candles, and are missing before.
    """

    words: str
    kinds: frozenset[str]
    listed: Callable[[], tuple[str, ...]]
    compute: Compute
    modules: tuple[Path, ...]
    by_sector: bool = False
    constant: tuple[str, ...] = ()
    warm_up: int = 0
    late: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of its F factors, in order."""
        return self.listed()

    @property
    def sources(self) -> list[Path]:
        """The files whose content decides on the values."""
        return sorted(set().union(*(sources(module, but=_is_input) for module in self.modules)))

    def code_version(self) -> str:
        """A fingerprint of the code behind the values; panels made by other code are made anew."""
        digest = hashlib.sha256()
        for source in self.sources:
            digest.update(source.read_bytes())
        return digest.hexdigest()[:16]


def _is_input(file: Path) -> bool:
    """Not the code that makes factors, but what gives them candles, which are compared themselves, or names."""
    others = (PACKAGE / "market" / "panel.py", PACKAGE / "imports.py", _HERE / "registry.py")
    return file in others or file.is_relative_to(PACKAGE / "store")


def _computed(name: str, module: str, names: tuple[str, ...], words: str, **more: Any) -> FactorSet:
    """A set that a function of its name computes, in a module below this package."""

    def compute(
        panel: Panel, since: int = 0, threads: int | None = None, sectors: np.ndarray | None = None
    ) -> np.ndarray:
        # Found by its name: numba takes half a second to load, and settings and rows do without it.
        function = getattr(import_module(f"{__package__}.{module}"), name)
        given = (sectors,) if more.get("by_sector") else ()
        values: np.ndarray = function(panel, since, threads, *given)
        return values

    file = _HERE.joinpath(*module.split(".")).with_suffix(".py")
    return FactorSet(words, frozenset({"numba"}), lambda: names, compute, (file,), **more)


def own_set(factors: Mapping[str, OwnFactor] | Callable[[], Mapping[str, OwnFactor]]) -> FactorSet:
    """The factor set made of functions over a panel, or of those that will be there when it is asked."""
    asked = factors if callable(factors) else lambda: factors

    def compute(
        panel: Panel, since: int = 0, threads: int | None = None, sectors: np.ndarray | None = None
    ) -> np.ndarray:
        values: np.ndarray = import_module(f"{__package__}.registration").compute_own(asked(), panel, since)
        return values

    words = "Your own factors (`factors/own.py`)"
    return FactorSet(words, frozenset({"python"}), lambda: tuple(asked()), compute, (_HERE / "own.py",))


def _registered() -> Mapping[str, OwnFactor]:
    """The factors of `own.py`, which is loaded when they are asked for: it is the user's."""
    import_module(f"{__package__}.own")
    factors: Mapping[str, OwnFactor] = import_module(f"{__package__}.registration").OWN_FACTORS
    return factors


def _together(first: str, second: str) -> FactorSet:
    """Two sets as one."""
    one, other = _SETS[first], _SETS[second]

    def compute(
        panel: Panel, since: int = 0, threads: int | None = None, sectors: np.ndarray | None = None
    ) -> np.ndarray:
        return np.concatenate([each.compute(panel, since, threads, sectors) for each in (one, other)])

    return FactorSet(
        f"The factors of `{first}`, and after them those of `{second}`",
        one.kinds | other.kinds,
        lambda: (*one.names, *other.names),
        compute,
        (*one.modules, *other.modules),
        one.by_sector or other.by_sector,
        (*one.constant, *other.constant),
        max(one.warm_up, other.warm_up),
        (*one.late, *other.late),
    )


_SETS = {
    "alpha158": _computed(
        "alpha158",
        "alpha158",
        ALPHA158,
        "Qlib's Alpha158: 158 factors of a stock's own candles",
    ),
    "alpha360": _computed(
        "alpha360",
        "alpha360",
        ALPHA360,
        "Qlib's Alpha360: the last 60 sessions of each field, scaled by the session's close",
        constant=CONSTANT_360,
    ),
    "own": own_set(_registered),
    "nse93": _computed(
        "nse93",
        "nse93.compute",
        NSE93,
        "93 factors of a stock against the market: nights and days, liquidity, risk, residual returns, principal "
        "components, clusters, seasons",
        warm_up=NSE93_WARM_UP,
        late=NSE93_LATE,
    ),
    "nse93_sectors": _computed(
        "nse93_sectors",
        "nse93.compute",
        NSE93_SECTORS,
        "The factors of `nse93`, with NSE's sectors in the place of clusters",
        by_sector=True,
        warm_up=NSE93_WARM_UP,
        late=NSE93_LATE,
    ),
}
FACTOR_SETS: Mapping[str, FactorSet] = {
    **_SETS,
    "alpha158_own": _together("alpha158", "own"),
    "alpha158_nse93": _together("alpha158", "nse93"),
    "alpha158_nse93_sectors": _together("alpha158", "nse93_sectors"),
}
