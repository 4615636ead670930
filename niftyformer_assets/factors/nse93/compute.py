"""The 93 factors of a market panel, against clusters of stocks or against NSE's sectors."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.factors.kernels.groups import group_means
from niftyformer_assets.factors.kernels.trailing import mean_of_kind
from niftyformer_assets.factors.nse93 import families
from niftyformer_assets.factors.nse93.catalogue import NSE93, NSE93_SECTORS
from niftyformer_assets.factors.nse93.dates import (
    later_date,
    month,
    refit_rows,
    same_month_before,
    turn_of_month,
    weekday,
    year_rows,
)
from niftyformer_assets.factors.nse93.principal import SESSIONS, clusters, principal_residuals
from niftyformer_assets.factors.nse93.series import BETA_WINDOW, Series
from niftyformer_assets.market.panel import Panel

LONGEST = 250
PRINCIPAL_WINDOWS, GROUP_WINDOWS = (1, 3, 5, 10, 20, 60), (1, 5, 20, 60)
# Half of the sessions of one weekday among 250, of the turns of a month among 250, of one month in 5 years.
OF_WEEKDAY, OF_TURNS, OF_MONTH = 25, 24, 52


def nse93_sectors(
    panel: Panel,
    since: int = 0,
    threads: int | None = None,
    sectors: np.ndarray | None = None,
    dtype: type[np.floating] = np.float32,
) -> np.ndarray:
    """Compute all 93 factors, those of clusters against sectors.

    Args:
        sectors: int [T, N], the number of each stock's sector as the lists had it on the session, −1 where it is not
            known; there these factors are missing. All else as `nse93` takes it.

    Returns:
        [93, T - since, N] in the order of `NSE93_SECTORS`.
    """
    if sectors is None or sectors.shape != panel.axes.shape:
        raise ValueError(f"sectors are to be given for each of the panel's {panel.axes.shape} sessions and symbols")
    return nse93(panel, since, threads, dtype, sectors)


def nse93(
    panel: Panel,
    since: int = 0,
    threads: int | None = None,
    dtype: type[np.floating] = np.float32,
    sectors: np.ndarray | None = None,
) -> np.ndarray:
    """Compute all 93 factors.

    Args:
        panel: candles of N stocks over T sessions.
        since: only sessions from this one on are asked for; no more is read before it than they look at. The values
            have the same bits as those of a run over all.
        threads: how many at once; by default one a core.
        dtype: float32 or float64, of the result; it is computed in float64 either way.
        sectors: in the place of clusters, as `nse93_sectors` takes them.

    Returns:
        [93, T - since, N] in the order of `NSE93`, NaN where a factor is missing, never ±inf.
    """
    sessions, symbols = panel.axes.shape
    if not 0 <= since <= sessions:
        raise ValueError(f"since={since} is not one of the panel's {sessions} sessions")
    names = NSE93 if sectors is None else NSE93_SECTORS
    result = np.full((len(names), sessions - since, symbols), np.nan, dtype=dtype)
    if result.size == 0:
        return result
    start = looked_back_to(panel.axes.dates, since)
    dates, recent = panel.axes.dates, cut_sessions(panel, start)
    series = Series(recent, since - start)

    def principal() -> dict[str, np.ndarray]:
        first = max(0, series.first - max(PRINCIPAL_WINDOWS) + 1)
        left = principal_residuals(series.returns, recent.segment, refit_rows(dates)[start:] - start, first)
        return {f"PCRES{d}": series.over.sum(left, d) for d in PRINCIPAL_WINDOWS}

    def grouped() -> dict[str, np.ndarray]:
        if sectors is not None:
            return against_group(series, np.ascontiguousarray(sectors[since:]), "SEC")
        group = clusters(series.returns, recent.segment, year_rows(dates)[start:] - start, series.first)
        return against_group(series, group[series.first :], "CL")

    def seasonality() -> dict[str, np.ndarray]:
        return seasons(series, dates, start)

    def write(family: Callable[[], dict[str, np.ndarray]]) -> None:
        with np.errstate(all="ignore"):
            for name, values in family().items():
                np.copyto(result[names.index(name)], values, where=np.isfinite(values), casting="same_kind")

    with np.errstate(all="ignore"):
        _ = series.residual, series.shock, series.night, series.day  # for all families
    of_a_stock = (families.risk, families.momentum, families.overnight, families.liquidity, families.candle)
    # Libraries add up in another order with another number of threads.
    with threadpool_limits(1), ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        work = [principal, grouped, seasonality, *(lambda family=family: family(series) for family in of_a_stock)]
        list(pool.map(write, work))
    return result


def looked_back_to(dates: np.ndarray, since: int) -> int:
    """The first row that the factors from row `since` on look at."""
    month_begins = int(same_month_before(dates)[0][since])
    fits = refit_rows(dates)[max(0, since - max(PRINCIPAL_WINDOWS) + 1)], year_rows(dates)[since]
    residuals = min(month_begins, since - LONGEST + 1) - BETA_WINDOW
    return max(0, min(residuals, *(int(row) - SESSIONS - 1 for row in fits)))


def against_group(series: Series, group: np.ndarray, prefix: str) -> dict[str, np.ndarray]:
    """Returns and turnover shocks against the mean of a stock's group; `group`: int [T - first, N], −1 for none."""
    groups = int(group.max(initial=0)) + 1

    def of_group(x: np.ndarray) -> np.ndarray:
        mean = np.empty(x.shape)
        group_means(x, group, groups, mean)
        return mean

    own = {d: series.over.sum(series.returns, d) for d in GROUP_WINDOWS}
    mean = {d: of_group(values) for d, values in own.items()}
    shock = np.ascontiguousarray(series.shock[series.first :])
    return {
        **{f"{prefix}REL{d}": own[d] - mean[d] for d in GROUP_WINDOWS},
        **{f"{prefix}RET{d}": mean[d] for d in GROUP_WINDOWS},
        f"{prefix}TSHOCK": shock - of_group(shock),
    }


def seasons(series: Series, dates: np.ndarray, start: int) -> dict[str, np.ndarray]:
    """Mean residual returns of sessions of a kind; `dates`: all of the panel's, the series begin at row `start`."""
    segment, first = series.panel.segment, series.first
    row = np.arange(len(dates))
    last_250 = np.maximum(row - LONGEST + 1, 0), row + 1
    ones = np.ones(len(dates), dtype=np.int64)
    kinds = {
        "WDAY1": (weekday(dates), weekday(later_date(dates, 1)), last_250, OF_WEEKDAY),
        "WDAY2": (weekday(dates), weekday(later_date(dates, 2)), last_250, OF_WEEKDAY),
        "CMONTH5": (month(dates), month(later_date(dates, 1)), same_month_before(dates), OF_MONTH),
        "TMONTH250": (turn_of_month(dates), ones, last_250, OF_TURNS),
    }
    result = {}
    for name, (kind, wanted, (begin, end), least) in kinds.items():
        result[name] = np.empty((len(segment) - first, segment.shape[1]))
        rows = [np.maximum(each[start:] - start, 0) for each in (begin, end)]
        mean_of_kind(series.residual, segment, kind[start:], wanted[start:], *rows, first, least, result[name])
    return result
