"""Alpha158 of one unbroken stretch of one stock, window by window, straight from the definitions.

In long double and without any of the composing of windows that makes the real one fast. What
divides by zero, were it not for Qlib's ε, is missing.
"""

from __future__ import annotations

import warnings

import numpy as np

from niftyformer_assets.factors.catalogue import ALPHA158, FAMILIES, SHAPES, WINDOWS

EPS = np.longdouble(1e-12)
NAN = np.longdouble(np.nan)


def alpha158_by_definition(
    open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray
) -> np.ndarray:
    """[158, T] of series [T] that begin at the stock's first row."""
    o, h, d, c, v = (np.asarray(x, dtype=np.longdouble) for x in (open_, high, low, close, volume))
    result = np.full((len(ALPHA158), len(c)), NAN)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        span = _plus_eps(h - d)
        top, bottom = np.maximum(o, c), np.minimum(o, c)
        body, shift = c - o, 2 * c - h - d
        shapes = (body / o, (h - d) / o, body / span, (h - top) / o, (h - top) / span, (bottom - d) / o)
        shapes += ((bottom - d) / span, shift / o, shift / span, o / c, h / c, d / c, (h + d + c) / 3 / c)
        result[: len(SHAPES)] = shapes
        series = {"o": o, "h": h, "l": d, "c": c, "v": v, "lv": np.log(v + 1)}
        series["dc"], series["dv"] = c - _before(c), v - _before(v)
        series["rc"] = c / _before(c)
        series["rv"] = np.log(v / _before(v) + 1)
        series["act"] = np.abs(series["rc"] - 1) * v
        series = {name: np.where(np.isfinite(x), x, NAN) for name, x in series.items()}
        before = _before(c)
        for t in range(len(c)):
            for place, window in enumerate(WINDOWS):
                first = max(0, t - window + 1)
                w = {name: x[first : t + 1] for name, x in series.items()}
                w["up"], w["down"] = (c > before)[first : t + 1], (c < before)[first : t + 1]
                values = _window(w, window, c[t - window] if t >= window else NAN)
                for family, value in zip(FAMILIES, values, strict=True):
                    result[len(SHAPES) + list(FAMILIES).index(family) * 5 + place, t] = value
    return np.where(np.isfinite(result), result, NAN)


def _plus_eps(x: np.ndarray) -> np.ndarray:
    return np.where(x == 0, NAN, x + EPS)


def _before(x: np.ndarray) -> np.ndarray:
    return np.concatenate([[NAN], x[:-1]])


def _window(w: dict[str, np.ndarray], window: int, c_then: np.longdouble) -> list:
    c, v = w["c"][-1], w["v"][-1]
    rows = len(w["c"])
    slope, fit, newest = _line(w["c"])
    high, low = np.nanmax(w["h"]), np.nanmin(w["l"])
    argmax, argmin = _place(w["h"], 1), _place(w["l"], -1)
    there = w["c"][~np.isnan(w["c"])]
    rank = (there < c).sum() + ((there == c).sum() + 1) / np.longdouble(2) if not np.isnan(c) else NAN
    up, down = w["up"].sum() / np.longdouble(rows), w["down"].sum() / np.longdouble(rows)
    return [
        c_then / c,
        np.nanmean(w["c"]) / c,
        _std(w["c"]) / c,
        slope / c,
        fit,
        (c - newest) / c,
        high / c,
        low / c,
        _quantile(there, 0.8) / c,
        _quantile(there, 0.2) / c,
        rank / len(there) if len(there) else NAN,
        (c - low) / _plus_eps(high - low),
        argmax / window,
        argmin / window,
        (argmax - argmin) / window,
        _corr(w["c"], w["lv"]),
        _corr(w["rc"], w["rv"]),
        up,
        down,
        up - down,
        *_shares(w["dc"]),
        np.nanmean(w["v"]) / _plus_eps(v),
        _std(w["v"]) / _plus_eps(v),
        _std(w["act"]) / _plus_eps(np.nanmean(w["act"])),
        *_shares(w["dv"]),
    ]


def _std(x: np.ndarray) -> np.longdouble:
    x = x[~np.isnan(x)]
    # Equal values have no deviation, whatever their mean rounds to.
    if len(x) > 1 and (x == x[0]).all():
        return np.longdouble(0)
    return x.std(ddof=1) if len(x) > 1 else NAN


def _line(y: np.ndarray) -> tuple[np.longdouble, np.longdouble, np.longdouble]:
    """Slope, R² and the value at the newest row of the least squares line."""
    x = np.arange(len(y), dtype=np.longdouble)[~np.isnan(y)]
    y_there = y[~np.isnan(y)]
    if len(x) < 2:
        return NAN, NAN, NAN
    a, b = x - x.mean(), y_there - y_there.mean()
    slope = (a * b).sum() / (a * a).sum()
    fit = (a * b).sum() ** 2 / (a * a).sum() / (b * b).sum()
    return slope, fit if _std(y) > 2e-5 else NAN, y_there.mean() + slope * (len(y) - 1 - x.mean())


def _place(x: np.ndarray, sign: int) -> np.longdouble:
    # A missing row counts as the extreme, as in numpy's argmax, which Qlib calls.
    return NAN if np.isnan(x).all() else np.longdouble(np.argmax(sign * x) + 1)


def _quantile(x: np.ndarray, q: float) -> np.longdouble:
    if len(x) == 0:
        return NAN
    place = np.longdouble(q) * (len(x) - 1)
    x, below = np.sort(x), int(place)
    return x[below] + (x[min(below + 1, len(x) - 1)] - x[below]) * (place - below)


def _corr(x: np.ndarray, y: np.ndarray) -> np.longdouble:
    if _std(x) <= 2e-5 or _std(y) <= 2e-5:
        return NAN
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) < 2 or _std(x) == 0 or _std(y) == 0:
        return NAN
    a, b = x - x.mean(), y - y.mean()
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def _shares(change: np.ndarray) -> tuple[np.longdouble, np.longdouble, np.longdouble]:
    change = change[~np.isnan(change)]
    if len(change) == 0:
        return NAN, NAN, NAN
    rise, fall = change[change > 0].sum(), -change[change < 0].sum()
    scale = _plus_eps(rise + fall)
    return rise / scale, fall / scale, (rise - fall) / scale
