"""Factor sets by name: what an experiment's `factor_set` may say (`settings.PANELS_OF_SET`).

A set is names, a function and how far the function looks back. Alpha158 and Alpha360 are here; a
user's own factors, registered in `own.py`, make up the set `own`.
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
from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.registration import OWN_FACTORS, OwnFactor
from niftyformer_assets.factors.settings import PANELS_OF_SET
from niftyformer_assets.market.panel import Panel


@dataclass(frozen=True)
class FactorSet:
    """One panel of factors.

    names: of its F factors, in order.
    compute: (panel, since, threads) -> float32 [F, T - since, N], NaN where missing, never ±inf.
        A value may depend on its own session and earlier ones only.
    sources: files whose content decides on the values.
    constant: the names of those that have one value by their definition.
    """

    names: tuple[str, ...]
    compute: Callable[[Panel, int, int | None], np.ndarray]
    sources: tuple[Path, ...]
    constant: tuple[str, ...] = ()

    def code_version(self) -> str:
        """A fingerprint of the code behind the values; panels made by other code are made anew."""
        digest = hashlib.sha256()
        for source in self.sources:
            digest.update(source.read_bytes())
        return digest.hexdigest()[:16]


_here = Path(__file__).parent
_kernels = tuple(sorted((_here / "kernels").glob("*.py")))


def _alpha158(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
    from niftyformer_assets.factors.alpha158 import alpha158  # numba takes half a second to load

    return alpha158(panel, since, threads)


def _alpha360(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
    from niftyformer_assets.factors.alpha360 import alpha360

    return alpha360(panel, since, threads)


def own_set(factors: Mapping[str, OwnFactor], sources: tuple[Path, ...] = ()) -> FactorSet:
    """The factor set made of functions over a panel, as registered in `own.py`."""

    def compute(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
        sessions, symbols = panel.axes.shape
        result = np.empty((len(factors), sessions - since, symbols), dtype=np.float32)
        for place, (name, (function, lookback)) in enumerate(factors.items()):
            start = max(0, since - lookback)
            with np.errstate(all="ignore"):
                values = np.asarray(function(cut_sessions(panel, start)), dtype=np.float32)
            if values.shape != (sessions - start, symbols):
                raise ValueError(f"factor {name!r} gave shape {values.shape}, not {(sessions - start, symbols)}")
            result[place] = np.where(np.isfinite(values), values, np.nan)[since - start :]
        return result

    return FactorSet(tuple(factors), compute, sources)


def together(first: FactorSet, second: FactorSet) -> FactorSet:
    """Both sets as one."""

    def compute(panel: Panel, since: int = 0, threads: int | None = None) -> np.ndarray:
        return np.concatenate([first.compute(panel, since, threads), second.compute(panel, since, threads)])

    return FactorSet(
        (*first.names, *second.names),
        compute,
        (*first.sources, *second.sources),
        (*first.constant, *second.constant),
    )


_files = (_here / "history.py", _here / "catalogue.py")
PANELS: dict[str, FactorSet] = {
    "alpha158": FactorSet(ALPHA158, _alpha158, (*_files, *_kernels, _here / "alpha158.py")),
    "alpha360": FactorSet(ALPHA360, _alpha360, (*_files, *_kernels, _here / "alpha360.py"), CONSTANT_360),
    "own": own_set(OWN_FACTORS, (*_files, Path(own.__file__))),
}
FACTOR_SETS = {name: reduce(together, (PANELS[panel] for panel in panels)) for name, panels in PANELS_OF_SET.items()}
