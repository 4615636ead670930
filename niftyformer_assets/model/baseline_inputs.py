"""What a model that is no network sees: samples, factors and returns, and the labels of training.

Shapes: T sessions, N symbols, F factors, S samples, T1 and T2 sessions in and out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.dataset.windows import Samples, inference_samples
from niftyformer_assets.factors.labels import Labels, NetOf, Outcomes, ranks
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.arrays import Axes, hashes


@dataclass(frozen=True, eq=False)
class BaselineInputs:
    """What a model that is no network sees of an experiment.

    axes: T sessions, N symbols.
    factors: float [T, N, F], in the form of `factors.transform`, dense (missing = 0). factors_valid: bool [T, N, F].
    are_ranks: whether the factors are ranks of the session already.
    returns: float [T, N], raw; returns_valid: bool [T, N], elsewhere they are not looked at.
    factor_names: of the F factors.
    exposures: what labels are net of; None where they are net of nothing.
    member: bool [T, N], who takes part on the session; None is everybody.
    """

    axes: Axes
    split: Split
    windows: WindowSettings
    factors: np.ndarray
    factors_valid: np.ndarray
    returns: np.ndarray
    returns_valid: np.ndarray
    factor_names: tuple[str, ...] = ()
    are_ranks: bool = False
    exposures: NetOf | None = None
    member: np.ndarray | None = None

    @cached_property
    def samples(self) -> Samples:
        """S samples, one for each session that a whole window ends on."""
        return inference_samples(len(self.axes.dates), self.windows)

    @cached_property
    def covered(self) -> np.ndarray:
        """bool [S, N]: members with enough returns in the window; others are not fitted on nor predicted."""
        enough = self.samples.enough_returns(self.returns_valid)
        return enough if self.member is None else enough & self.member[self._made_on]

    @cached_property
    def known_returns(self) -> np.ndarray:
        """float64 [T, N], NaN where missing."""
        return np.where(self.returns_valid, self.returns, np.nan)

    @cached_property
    def labels(self) -> Labels:
        """What is predicted, float64 [T, T2, N]."""
        return Labels.of(self.windows.labels, Outcomes(self.known_returns, self.exposures, self.member))

    @cached_property
    def training(self) -> np.ndarray:
        """float64 [S, N, T2]: the labels of each sample, NaN where missing or not wholly of training sessions."""
        return self._labels_of("train")

    @cached_property
    def validation(self) -> np.ndarray:
        """As `training`, for labels wholly of validation sessions."""
        return self._labels_of("validation")

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the training labels."""
        return float(np.nanstd(self.training))

    @cached_property
    def made_on_factors(self) -> np.ndarray:
        """float32 [S, N, F]: the factors of the session a sample is made on."""
        return self.factors[self._made_on].astype(np.float32, copy=False)

    @cached_property
    def made_on_ranks(self) -> np.ndarray:
        """float32 [S, N, F]: the same, ranked across the members of the session."""
        if self.are_ranks:
            return self.made_on_factors
        valid = self.factors_valid[self._made_on]
        if self.member is not None:
            valid = valid & self.member[self._made_on][..., None]
        return ranked_factors(self.made_on_factors, valid)

    @property
    def _made_on(self) -> slice:
        """The sessions of the samples; of gigabytes of factors a slice is no copy."""
        return slice(self.samples.start, self.samples.stop)

    def fingerprint(self) -> dict[str, str]:
        """Hashes by name of all that a fit reads: nothing after the validation sessions."""
        end = self.split.validation.stop
        return hashes(
            {
                "sessions": self.axes.dates[:end].astype(str),
                "symbols": np.array(self.axes.symbols),
                "split": np.array([self.split.train.start, self.split.train.stop, self.split.validation.start, end]),
                "returns": self.known_returns[:end],
                "factor names": np.array(self.factor_names),
                "factors": self.factors[:end],
                "missing factors": self.factors_valid[:end],
                **self.beside_returns_up_to(end),
            }
        )

    def beside_returns_up_to(self, session: int) -> dict[str, np.ndarray]:
        """What decides on labels beside returns, by name, of the sessions before one."""
        beside = {} if self.exposures is None else dict(vars(self.exposures))
        if self.member is not None:
            beside["members"] = self.member
        return {name: of[:session] for name, of in beside.items()}

    def everywhere(self, constant: np.ndarray) -> np.ndarray:
        """One number a horizon, for every sample and stock: [S, N, T2]."""
        return np.broadcast_to(constant, self.training.shape).astype(np.float64)

    def signal(self, returns: np.ndarray) -> np.ndarray:
        """A signal [T, N] in units of a return as the forecast of each horizon [S, N, T2]; missing = 0."""
        made = np.where(self.covered, returns[self.samples.made_on], np.nan)
        labels = np.nan_to_num(self.windows.unit.put(made))
        return np.repeat(labels[..., None], len(self.windows.labels), axis=-1)

    def _labels_of(self, part: str) -> np.ndarray:
        made_on = self.samples.made_on
        wanted = self.labels.wholly_in(getattr(self.split, part))[made_on][..., None] & self.covered[:, None, :]
        return np.where(wanted, self.labels.array[made_on], np.nan).swapaxes(1, 2)


def ranked_factors(factors: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Each factor ranked across the stocks of each session: float32 [S, N, F], centred, unit variance, missing = 0."""
    ranked = np.zeros(factors.shape, dtype=np.float32)
    for place in range(factors.shape[-1]):
        known = np.where(valid[..., place], factors[..., place], np.nan)
        ranked[..., place] = np.nan_to_num(ranks(known))
    return ranked
