"""The factors of a stock's own series and the market's: each function gives name -> float64 [T - first, N]."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.nse93.series import Series, before, present

# Of the 250 sessions of a downside beta, so many must be falling ones of the market.
FALLING_SESSIONS = 62


def overnight(s: Series) -> dict[str, np.ndarray]:
    night = {d: s.over.sum(s.night, d) for d in (1, 5, 20, 60, 250)}
    day = {d: s.over.sum(s.day, d) for d in (1, 5, 20, 60, 250)}
    weight = np.where(np.isfinite(s.night), s.panel.volume, np.nan)
    return {
        **{f"ON{d}": values for d, values in night.items()},
        **{f"ID{d}": values for d, values in day.items()},
        **{f"ONID{d}": night[d] - day[d] for d in (20, 60)},
        **{f"ONVW{d}": s.over.sum(weight * s.night, d) / s.over.sum(weight, d) for d in (5, 20)},
        "ONIDVOL20": s.over.std(s.night, 20) / s.over.std(s.day, 20),
        "ONIDCORR60": s.over.correlation(s.night, s.day, 60),
    }


def liquidity(s: Series) -> dict[str, np.ndarray]:
    impact = present(np.abs(s.returns) / s.value)
    level = {d: s.over.mean(s.log_value, d) for d in (5, 20, 60, 250)}
    still = np.where(np.isfinite(s.returns), s.returns == 0, np.nan)
    return {
        **{f"ILLIQ{d}": s.over.mean(impact, d) for d in (20, 60, 250)},
        **{f"LTV{d}": level[d] for d in (20, 250)},
        "TSHOCK": s.shock[s.first :],
        "TTREND5_60": level[5] - level[60],
        "TTREND20_250": level[20] - level[250],
        "TVOL60": s.over.std(s.log_value, 60),
        "TSHOCKSIGN": (s.shock * np.sign(s.returns))[s.first :],
        **{f"TSHOCKRET{d}": s.over.mean(s.shock * s.returns, d) for d in (5, 20)},
        "ZERO60": s.over.mean(still, 60),
    }


def risk(s: Series) -> dict[str, np.ndarray]:
    beta = {d: s.over.beta(s.returns, s.market, d) for d in (60, 250)}
    falling = s.over.beta(s.returns, np.where(s.market < 0, s.market, np.nan), 250, FALLING_SESSIONS)
    std = {d: s.over.std(s.returns, d) for d in (5, 20, 60, 250)}
    squares = s.returns * s.returns
    range_squares = present(np.log(s.panel.high / s.panel.low)) ** 2
    loss = np.where(s.returns < 0, squares, 0.0 * squares)
    return {
        **{f"MBETA{d}": values for d, values in beta.items()},
        "DBETA250": falling - beta[250],
        **{f"IVOL{d}": s.over.std(s.residual, d) for d in (20, 60, 250)},
        "VOL20": std[20],
        "VOLR5_60": std[5] / std[60],
        "VOLR20_250": std[20] / std[250],
        **{f"RMAX{d}": s.over.maximum(s.returns, d) for d in (5, 20, 250)},
        "RMIN20": s.over.minimum(s.returns, 20),
        "ISKEW60": s.over.skewness(s.residual, 60),
        "MCORR60": s.over.correlation(s.returns, s.market, 60),
        "DOWNVAR60": s.over.sum(loss, 60) / s.over.sum(squares, 60),
        "PARK20": s.over.mean(range_squares, 20) / (4 * np.log(2)) / s.over.variance(s.returns, 20),
    }


def momentum(s: Series) -> dict[str, np.ndarray]:
    ivol = {d: s.over.std(s.residual, d) for d in (60, 250)}
    residual = {d: s.over.sum(s.residual, d) for d in (1, 2, 3, 5, 10, 20, 60)}
    past = {d: np.log(s.over.lagged(s.panel.close, 20) / s.over.lagged(s.panel.close, d)) for d in (250, 120, 60)}
    earlier = s.over.sum(before(s.residual, s.panel.segment, 20), 230)
    close = s.panel.close[s.first :]
    return {
        **{f"MOM{d}_20": values for d, values in past.items()},
        "MOMIVOL250_20": past[250] / ivol[250],
        **{f"RES{d}": values for d, values in residual.items()},
        **{f"RESIVOL{d}": residual[d] / ivol[60] for d in (1, 5)},
        "RESMOM250_20": earlier / ivol[250],
        **{f"RESLAG{d}": s.over.lagged(s.residual, d) for d in (1, 2, 3, 4)},
        **{f"RESAC{d}": s.over.correlation(s.residual, before(s.residual, s.panel.segment, 1), d) for d in (20, 60)},
        "TOHIGH250": close / s.over.maximum(s.panel.high, 250),
        "TOLOW250": close / s.over.minimum(s.panel.low, 250),
        "SINCEHIGH250": s.over.sessions_since_maximum(s.panel.close, 250),
    }


def candle(s: Series) -> dict[str, np.ndarray]:
    panel = s.panel
    location = present((panel.close - panel.low) / (panel.high - panel.low))
    length = present((panel.high - panel.low) / panel.close)
    return {
        "CLV1": location[s.first :],
        **{f"CLV{d}": s.over.mean(location, d) for d in (5, 20)},
        "RANGE20": s.over.mean(length, 20),
        "RANGER5_60": s.over.mean(length, 5) / s.over.mean(length, 60),
    }
