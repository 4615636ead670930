"""Factor sets by name: what an experiment's `factor_set` may say (`settings.PANELS_OF_SET`).

A set is names, a function and how far the function looks back. Alpha158, Alpha360 and the 93 of
`nse93` are here; a user's own factors, registered in `own.py`, make up the set `own`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from niftyformer_assets.factors import own
from niftyformer_assets.factors.catalogue import ALPHA158, ALPHA360, CONSTANT_360
from niftyformer_assets.factors.nse93.catalogue import NSE93, NSE93_LATE, NSE93_WARM_UP
from niftyformer_assets.factors.registration import OWN_FACTORS, OwnFactor, compute_own
from niftyformer_assets.factors.settings import PANELS_OF_SET
from niftyformer_assets.imports import PACKAGE, sources
from niftyformer_assets.market.panel import Panel


@dataclass(frozen=True)
class FactorSet:
    """One panel of factors.

    names: of its F factors, in order.
    compute: (panel, since, threads) -> float32 [F, T - since, N], NaN where missing, never ±inf.
        A value may depend on its own session and earlier ones only.
    modules: whose code makes the values, with what they import.
    constant: the names of those that have one value by their definition.
    warm_up: how many sessions of a stock may lie before its first values.
    late: the names of those that need years of candles, and are missing before.
    """

    names: tuple[str, ...]
    compute: Callable[[Panel, int, int | None], np.ndarray]
    modules: tuple[Path, ...]
    constant: tuple[str, ...] = ()
    warm_up: int = 0
    late: tuple[str, ...] = ()

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
    """Not the code that makes factors, but what gives them candles, which are compared themselves."""
    return file in (PACKAGE / "market" / "panel.py", PACKAGE / "imports.py") or file.is_relative_to(PACKAGE / "store")


_here = Path(__file__).parent


def _alpha158(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
    from niftyformer_assets.factors.alpha158 import alpha158  # numba takes half a second to load

    return alpha158(panel, since, threads)


def _alpha360(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
    from niftyformer_assets.factors.alpha360 import alpha360

    return alpha360(panel, since, threads)


def _nse93(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
    from niftyformer_assets.factors.nse93.compute import nse93

    return nse93(panel, since, threads)


def own_set(factors: Mapping[str, OwnFactor], modules: tuple[Path, ...] = ()) -> FactorSet:
    """The factor set made of functions over a panel, as registered in `own.py`."""

    return FactorSet(tuple(factors), lambda panel, since, _threads: compute_own(factors, panel, since), modules)


def together(first: FactorSet, second: FactorSet) -> FactorSet:
    """Both sets as one."""

    def compute(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
        return np.concatenate([first.compute(panel, since, threads), second.compute(panel, since, threads)])

    return FactorSet(
        (*first.names, *second.names),
        compute,
        (*first.modules, *second.modules),
        (*first.constant, *second.constant),
        max(first.warm_up, second.warm_up),
        (*first.late, *second.late),
    )


PANELS: dict[str, FactorSet] = {
    "alpha158": FactorSet(ALPHA158, _alpha158, (_here / "alpha158.py",)),
    "alpha360": FactorSet(ALPHA360, _alpha360, (_here / "alpha360.py",), CONSTANT_360),
    "nse93": FactorSet(NSE93, _nse93, (_here / "nse93" / "compute.py",), warm_up=NSE93_WARM_UP, late=NSE93_LATE),
    "own": own_set(OWN_FACTORS, (Path(own.__file__),)),
}
FACTOR_SETS = {name: reduce(together, (PANELS[panel] for panel in panels)) for name, panels in PANELS_OF_SET.items()}
