"""What the model must beat: the same predictions, made by plainer means on the same samples and stocks.

Every baseline predicts the label of session t + h, h = 1..T2, from what is known at the close of
session t. What is fitted sees labels of training sessions only; the recurrent networks stop early
on validation. A forecast is in units of the experiment's label, and p_up = Φ(forecast / σ) with σ
the deviation of the training labels, except where a baseline estimates it itself.

Shapes: T sessions, N symbols, F factors, S samples, T1 and T2 sessions in and out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.dataset.target import target
from niftyformer_assets.dataset.windows import Samples, inference_samples, samples
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.baselines_fitted import fit_forest, fit_ranked, ranked_factors
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import ExperimentFolder

OUT_OF_SAMPLE = ("validation", "test", "later")


@dataclass(frozen=True, eq=False)
class BaselineInputs:
    """What the baselines see of an experiment.

    axes: T sessions, N symbols.
    factors: float [T, N, F], neutralised, dense (missing = 0). factors_valid: bool [T, N, F].
    returns: float [T, N], raw; returns_valid: bool [T, N], elsewhere they are not looked at.
    """

    axes: Axes
    split: Split
    windows: WindowSettings
    factors: np.ndarray
    factors_valid: np.ndarray
    returns: np.ndarray
    returns_valid: np.ndarray

    @cached_property
    def samples(self) -> Samples:
        """S samples, one for each session that a whole window ends on."""
        return inference_samples(len(self.axes.dates), self.windows)

    @cached_property
    def covered(self) -> np.ndarray:
        """bool [S, N]: stocks with enough returns in the window; others are not fitted on nor predicted."""
        return self.samples.enough_returns(self.returns_valid)

    @cached_property
    def known_returns(self) -> np.ndarray:
        """float64 [T, N], NaN where missing."""
        return np.where(self.returns_valid, self.returns, np.nan)

    @cached_property
    def training(self) -> np.ndarray:
        """float64 [S, N, T2]: the labels ahead, NaN where missing or not of a training session."""
        return self._labels_of("train")

    @cached_property
    def validation(self) -> np.ndarray:
        """As `training`, for labels of validation sessions."""
        return self._labels_of("validation")

    @cached_property
    def wanted(self) -> np.ndarray:
        """bool [S, T2]: which predictions are for a session after training."""
        return np.isin(self.samples.parts(self.split), OUT_OF_SAMPLE)

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the training labels."""
        return float(np.nanstd(self.training))

    @cached_property
    def made_on_factors(self) -> np.ndarray:
        """float32 [S, N, F]: the factors of the session a sample is made on."""
        return self.factors[self.samples.made_on].astype(np.float32)

    @cached_property
    def made_on_ranks(self) -> np.ndarray:
        """float32 [S, N, F]: the same, ranked across the stocks of the session."""
        return ranked_factors(self.made_on_factors, self.factors_valid[self.samples.made_on])

    def everywhere(self, constant: np.ndarray) -> np.ndarray:
        """One number a horizon, for every sample and stock: [S, N, T2]."""
        return np.broadcast_to(constant, self.training.shape).astype(np.float64)

    def signal(self, returns: np.ndarray) -> np.ndarray:
        """A signal [T, N] in units of a return as the forecast of each horizon [S, N, T2]; missing = 0."""
        made = np.where(self.covered, returns[self.samples.made_on], np.nan)
        labels = np.nan_to_num(target(made, self.windows.label))
        return np.repeat(labels[..., None], self.windows.output_sessions, axis=-1)

    def _labels_of(self, part: str) -> np.ndarray:
        to_come = np.full((self.windows.output_sessions, len(self.axes.symbols)), np.nan)
        labels = self.samples.labels(np.concatenate([target(self.known_returns, self.windows.label), to_come]))
        wanted = (self.samples.parts(self.split) == part)[..., None] & self.covered[:, None, :]
        return np.where(wanted, labels, np.nan).swapaxes(1, 2)


@dataclass(frozen=True, eq=False)
class Forecast:
    """value in units of the label, p_up the probability of a label above 0; both float64 [S, N, T2]."""

    value: np.ndarray
    p_up: np.ndarray


def load_baseline_inputs(files: ExperimentFolder, axes: Axes, split: Split, windows: WindowSettings) -> BaselineInputs:
    """What the baselines see of an experiment's folder: flow, trend indicator and neutralised factors.

    Args:
        axes: the experiment's, which `split` counts on.

    Raises:
        NiftyFormerError: a file is missing, damaged, or on other sessions or symbols than these.
    """
    flow, _ = load_arrays(files.flow, axes)
    trend, _ = load_arrays(files.trend_indicator, axes)
    factors, _ = load_arrays(files.neutralized_factors, axes)
    return BaselineInputs(
        axes=axes,
        split=split,
        windows=windows,
        factors=np.where(factors["valid"], factors["result"], 0),
        factors_valid=factors["valid"],
        returns=flow["result"],
        returns_valid=trend["valid"],
    )


def baseline_predictions(
    inputs: BaselineInputs,
    settings: BaselineSettings,
    seed: int,
    *,
    to_come: np.ndarray | None = None,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda _line: None,
) -> pd.DataFrame:
    """The predictions of every baseline of `settings`, for the sessions after training.

    Args:
        to_come: dates of the exchange's next sessions, as `Samples.predicted_dates` takes them.
        progress: called with a line of text now and then.

    Returns:
        date_made, date_predicted (datetime64), horizon (int32, 1..T2), symbol, split (of the
        session predicted: validation, test, later), `return` (label "return") or `score` (other
        labels), p_up, baseline; by baseline in the order of the settings, date_made, horizon and
        symbol. A stock with fewer than half of a window's returns has no row.

    Raises:
        NiftyFormerError: a part has no sample, or training or validation has no label.
    """
    samples(inputs.split, inputs.windows)
    for part, labels in (("train", inputs.training), ("validation", inputs.validation)):
        if not np.isfinite(labels).any():
            raise NiftyFormerError(
                f"the {part} part has no return to fit a baseline on: check the experiment's sessions and label.csv."
            )
    frames = []
    for place, name in enumerate(settings.names, start=1):
        began = time.monotonic()
        made = forecast(name, inputs, settings, seed, device, progress)
        frames.append(_table(made, inputs, to_come).assign(baseline=name))
        progress(f"{name}: done in {time.monotonic() - began:.1f} s ({place} of {len(settings.names)} baselines)")
    return pd.concat(frames, ignore_index=True)


def forecast(
    name: str,
    inputs: BaselineInputs,
    settings: BaselineSettings,
    seed: int,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda _line: None,
) -> Forecast:
    """The forecast of one baseline for each sample (at least those after training); `BASELINES` has the names.

    Neither the order of the names nor which others run changes it.
    """
    horizons = inputs.windows.output_sessions
    if name in ("lstm", "gru"):
        return _recurrent(name, inputs, settings, seed, device, progress)
    if name == "zero":
        return Forecast(inputs.everywhere(np.zeros(horizons)), inputs.everywhere(np.full(horizons, 0.5)))
    if name == "majority":
        share_up = (inputs.training > 0).sum(axis=(0, 1)) / np.isfinite(inputs.training).sum(axis=(0, 1))
        median = np.nanmedian(inputs.training, axis=(0, 1))
        return Forecast(inputs.everywhere(median), inputs.everywhere(share_up))
    if name in ("ridge", "gradient_boosting"):
        value = fit_ranked(name, inputs.made_on_ranks, inputs.training, settings, seed)
    elif name == "random_forest":
        scaled = inputs.training / inputs.deviation
        value = fit_forest(inputs.made_on_factors, scaled, settings, seed) * inputs.deviation
    elif name == "equal_weight":
        value = inputs.everywhere(np.nanmean(inputs.training, axis=(0, 1)))
    elif name == "random":
        # Drawn session by session, so that more sessions do not change the earlier ones.
        value = np.random.default_rng(seed).standard_normal(inputs.training.shape) * inputs.deviation
    elif name == "reversal":
        value = inputs.signal(-_mean_return(inputs.known_returns, settings.reversal_sessions))
    elif name == "momentum":
        value = inputs.signal(_mean_return(inputs.known_returns, settings.momentum_sessions))
    else:
        raise ValueError(f"unknown baseline {name!r}")
    return Forecast(value, _normal_cdf(value / inputs.deviation))


def _recurrent(
    name: str,
    inputs: BaselineInputs,
    settings: BaselineSettings,
    seed: int,
    device: str,
    progress: Callable[[str], None],
) -> Forecast:
    # torch takes seconds to load, and the other baselines do without it.
    from niftyformer_assets.model.recurrent import fit_recurrent

    scale = float(np.nanstd(inputs.known_returns[inputs.split.train]))
    returns = np.nan_to_num(inputs.known_returns)[..., None]
    channels = np.concatenate([returns / scale, returns > 0, inputs.factors], axis=-1, dtype=np.float32)
    value, p_up = fit_recurrent(
        name,
        channels,
        inputs.training / inputs.deviation,
        inputs.validation / inputs.deviation,
        np.any(inputs.wanted, axis=-1),
        inputs.windows.input_sessions,
        settings,
        seed,
        device,
        progress,
    )
    return Forecast(value * inputs.deviation, p_up)


def _table(made: Forecast, inputs: BaselineInputs, to_come: np.ndarray | None) -> pd.DataFrame:
    made_for, axes = inputs.samples, inputs.axes
    parts = made_for.parts(inputs.split)
    sample, horizon, stock = np.nonzero(inputs.wanted[..., None] & inputs.covered[:, None, :])
    return pd.DataFrame(
        {
            "date_made": made_for.made_on_dates(axes.dates)[sample].astype("datetime64[ns]"),
            "date_predicted": made_for.predicted_dates(axes.dates, to_come)[sample, horizon].astype("datetime64[ns]"),
            "horizon": (horizon + 1).astype(np.int32),
            "symbol": np.array(axes.symbols)[stock],
            "split": parts[sample, horizon],
            "return" if inputs.windows.label == "return" else "score": made.value[sample, stock, horizon],
            "p_up": made.p_up[sample, stock, horizon],
        }
    )


def _mean_return(returns: np.ndarray, sessions: int) -> np.ndarray:
    """Mean of the returns there are among the last sessions [T, N]; NaN where there is none."""
    return pd.DataFrame(returns).rolling(sessions, min_periods=1).mean().to_numpy()


def _normal_cdf(values: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(values)
