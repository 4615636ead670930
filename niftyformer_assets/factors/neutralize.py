"""Neutralisation: what a factor says beyond a stock's size and sector; and the factors as the model reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.factors.kernels.cross_section import rolling_zscore, standardised_residuals
from niftyformer_assets.factors.ranked import ranked
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.store.arrays import Axes, enter_in_index, load_arrays, save_arrays
from niftyformer_assets.store.atomic import atomic_path
from niftyformer_assets.store.workspace import ExperimentFolder


def neutralize(
    factors: np.ndarray,
    log_size: np.ndarray,
    sectors: np.ndarray | Sequence[str | None],
    settings: FactorSettings,
    threads: int | None = None,
) -> np.ndarray:
    """Residuals of each session's least squares of a factor on log size and sector dummies.

    Each session and factor is a regression of its own over the stocks that have both the factor and
    a size, so a factor that is missing for one stock takes that stock out of that regression only.
    The residuals are divided by their standard deviation (ddof 0; their mean is zero) on the
    session. A value a thousand times as far from the session's median as most others are is missing:
    it would decide alone.

    Args:
        factors: float32 [F, T, N]; NaN and ±inf are missing.
        log_size: float64 [T, N], log(close × mean volume of 60 sessions).
        sectors: names, [T, N] or N for all sessions; stocks without one form a sector of their own.
        settings: `min_stocks`, `winsorize`, `rolling_zscore_sessions` matter.

    Returns:
        float32 [F, T, N]. NaN where the factor or the size is missing and on sessions with fewer
        than `min_stocks`. 0 for a stock that is alone in its sector, whose dummy explains it
        exactly, and for all where nothing is left to explain. With a rolling z-score, each
        stock's residuals are then measured against its own last sessions, a third of which must
        hold a value.
    """
    given = np.asarray(sectors, dtype=object)
    names, codes = np.unique(np.where(pd.isna(given), "", given).astype(np.str_), return_inverse=True)
    size = np.ascontiguousarray(log_size, dtype=np.float64)
    result = np.empty(factors.shape, dtype=np.float32)
    sector = np.ascontiguousarray(np.broadcast_to(codes.reshape(given.shape), size.shape), dtype=np.int64)
    tail = settings.winsorize or 0.0
    window = settings.rolling_zscore_sessions

    def compute(f: int) -> None:
        values = np.ascontiguousarray(factors[f], dtype=np.float32)
        standardised_residuals(values, size, sector, len(names), settings.min_stocks, tail, result[f])
        if window is not None:
            rolling_zscore(result[f].copy(), window, max(2, window // 3), result[f])

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(compute, range(len(factors))))
    return result


@dataclass(frozen=True, eq=False)
class Beside:
    """What a factor is measured beside; each is asked for where the transform looks at it.

    log_size: gives float64 [T, N]. sectors: gives names [T, N]. member: bool [T, N].
    """

    log_size: Callable[[], np.ndarray]
    sectors: Callable[[], np.ndarray]
    member: np.ndarray


def transformed(
    factors: np.ndarray, beside: Beside, settings: FactorSettings, threads: int | None = None
) -> np.ndarray:
    """Factors [F, T, N] in the form of `settings.transform`: float32 [F, T, N], NaN where missing."""
    if settings.form.residuals:
        return neutralize(factors, beside.log_size(), beside.sectors(), settings, threads)
    if settings.form.ranks:
        groups = beside.sectors() if settings.form.looks_at_sectors else None
        return ranked(factors, beside.member, settings.min_stocks, groups, threads)
    return np.where(np.isfinite(factors), factors, np.float32(np.nan))


@dataclass(frozen=True, eq=False)
class NeutralizedFactors:
    """The selected factors as the model reads them: neutralised, or as `factors.transform` says.

    result: float32 [T, N, F], 0 where missing. valid: bool [T, N, F], what was not missing.
    names: F of them, sorted, as the published loader finds the files.
    """

    result: np.ndarray
    valid: np.ndarray
    names: tuple[str, ...]


def neutralized_factors(
    factors: np.ndarray,
    names: Sequence[str],
    beside: Beside,
    settings: FactorSettings,
    threads: int | None = None,
) -> NeutralizedFactors:
    """Put the selected factors [F, T, N] into the form of `settings.transform`, and lay them out for the model."""
    order = sorted(range(len(names)), key=lambda place: names[place])
    values = transformed(factors[order], beside, settings, threads).transpose(1, 2, 0)
    valid = np.isfinite(values)
    return NeutralizedFactors(np.where(valid, values, np.float32(0)), valid, tuple(names[place] for place in order))


def write_neutralized(
    folder: ExperimentFolder, factors: NeutralizedFactors, axes: Axes, settings: FactorSettings
) -> None:
    """Write neutralized_factors.npz and factors/NAME.csv, and nothing else into that folder.

    The CSVs are dense [sessions × symbols] with the date as index column: the published loader
    reads every file there is, in sorted order. Those of factors no longer selected are removed. It knows
    residuals alone, and text of hundreds of factors over years takes minutes: in another form there are none.
    """
    folder.factors.mkdir(parents=True, exist_ok=True)
    named = factors.names if settings.form.residuals else ()
    wanted = {f"{name}.csv": place for place, name in enumerate(named)}
    for file in folder.factors.iterdir():
        if file.name not in wanted:
            file.unlink(missing_ok=True)
    dates = pd.Index(axes.dates.astype(str), name="date")
    for name, place in wanted.items():
        frame = pd.DataFrame(factors.result[:, :, place], index=dates, columns=list(axes.symbols))
        with atomic_path(folder.factors / name) as temporary:
            # Nine digits give back a float32 exactly.
            frame.to_csv(temporary, float_format="%.9g", lineterminator="\n")
    arrays = {
        "result": np.ascontiguousarray(factors.result),
        "valid": np.ascontiguousarray(factors.valid),
        "names": np.array(factors.names, dtype=np.str_),
    }
    save_arrays(folder.neutralized_factors, arrays, axes, {"result": "TNF", "valid": "TNF", "names": "F"})
    files = {(Path(folder.factors.name) / name).as_posix(): {Path(name).stem: "TN"} for name in wanted}
    enter_in_index(folder.root, axes, files)


def read_neutralized(folder: ExperimentFolder, expected: Axes | None = None) -> tuple[NeutralizedFactors, Axes]:
    """Read neutralized_factors.npz, checked against its index."""
    arrays, axes = load_arrays(folder.neutralized_factors, expected)
    return NeutralizedFactors(arrays["result"], arrays["valid"], tuple(arrays["names"].tolist())), axes
