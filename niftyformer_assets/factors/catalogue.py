"""Every factor's name and formula; `docs/list_factors.py` makes the table of docs/factors.md of them.

Source: Qlib 0.9.7, `qlib.contrib.data.handler.Alpha158` and `Alpha360`; several families come from
Kakushadze, "101 Formulaic Alphas" (2015), and from common technical indicators.
"""

from __future__ import annotations

from niftyformer_assets.factors.kernels import WINDOWS

LAGS = tuple(range(59, -1, -1))

SHAPES = {
    "KMID": ("(C − O) / O", "body of the candle"),
    "KLEN": ("(H − L) / O", "length of the candle"),
    "KMID2": ("(C − O) / (H − L + ε)", "body as a share of the length"),
    "KUP": ("(H − max(O, C)) / O", "upper shadow"),
    "KUP2": ("(H − max(O, C)) / (H − L + ε)", "upper shadow as a share of the length"),
    "KLOW": ("(min(O, C) − L) / O", "lower shadow"),
    "KLOW2": ("(min(O, C) − L) / (H − L + ε)", "lower shadow as a share of the length"),
    "KSFT": ("(2C − H − L) / O", "close against the middle of the candle"),
    "KSFT2": ("(2C − H − L) / (H − L + ε)", "the same as a share of the length"),
    "OPEN0": ("O / C", "open in units of the close"),
    "HIGH0": ("H / C", "high in units of the close"),
    "LOW0": ("L / C", "low in units of the close"),
    "VWAP0": ("(H + L + C) / 3 / C", "typical price in units of the close"),
}

# {d} is the window.
FAMILIES = {
    "ROC": ("C[−{d}] / C", "close {d} sessions ago"),
    "MA": ("mean(C) / C", "moving average"),
    "STD": ("std(C) / C", "standard deviation of the close"),
    "BETA": ("slope(C) / C", "slope of the close against time, a session"),
    "RSQR": ("R²(C)", "how well a straight line fits the close"),
    "RESI": ("(C − line(C)) / C", "close against that line"),
    "MAX": ("max(H) / C", "highest high"),
    "MIN": ("min(L) / C", "lowest low"),
    "QTLU": ("quantile(C, 0.8) / C", "upper quantile of the close"),
    "QTLD": ("quantile(C, 0.2) / C", "lower quantile of the close"),
    "RANK": ("rank(C) / n", "rank of today's close in its window, ties averaged"),
    "RSV": ("(C − min(L)) / (max(H) − min(L) + ε)", "close between lowest low and highest high"),
    "IMAX": ("argmax(H) / {d}", "place of the highest high, 1 at the oldest session"),
    "IMIN": ("argmin(L) / {d}", "place of the lowest low, 1 at the oldest session"),
    "IMXD": ("(argmax(H) − argmin(L)) / {d}", "sessions between the two"),
    "CORR": ("corr(C, ln(V + 1))", "close and volume"),
    "CORD": ("corr(C / C′, ln(V / V′ + 1))", "changes of close and volume"),
    "CNTP": ("mean(C > C′)", "share of rising sessions"),
    "CNTN": ("mean(C < C′)", "share of falling sessions"),
    "CNTD": ("CNTP − CNTN", "difference of the two"),
    "SUMP": ("Σ max(C − C′, 0) / (Σ |C − C′| + ε)", "share of the rises in all movement"),
    "SUMN": ("Σ max(C′ − C, 0) / (Σ |C − C′| + ε)", "share of the falls"),
    "SUMD": ("SUMP − SUMN", "difference of the two"),
    "VMA": ("mean(V) / (V + ε)", "mean volume in units of today's"),
    "VSTD": ("std(V) / (V + ε)", "standard deviation of the volume"),
    "WVMA": ("std(|C/C′ − 1|·V) / (mean(|C/C′ − 1|·V) + ε)", "spread of the volume-weighted movement"),
    "VSUMP": ("Σ max(V − V′, 0) / (Σ |V − V′| + ε)", "share of the rises in all movement of the volume"),
    "VSUMN": ("Σ max(V′ − V, 0) / (Σ |V − V′| + ε)", "share of the falls"),
    "VSUMD": ("VSUMP − VSUMN", "difference of the two"),
}

FIELDS_360 = ("CLOSE", "OPEN", "HIGH", "LOW", "VWAP", "VOLUME")

ALPHA158 = (*SHAPES, *(f"{family}{window}" for family in FAMILIES for window in WINDOWS))
ALPHA360 = tuple(f"{field}{lag}" for field in FIELDS_360 for lag in LAGS)

# 1 by definition; they stand in the set so that it is whole.
CONSTANT_360 = ("CLOSE0", "VOLUME0")

# From where to where a value may lie: bounds by definition, and around prices and volumes wide ones that no stock of
# 191 came near in 2022–2024. What lies outside was made of a wrong candle, or says next to nothing about the stock.
_SHARE, _SIGNED_SHARE, _PRICES, _VOLUMES = (0.0, 1.0), (-1.0, 1.0), (0.01, 100.0), (0.0, 1e3)
_RANGES = {
    **dict.fromkeys(("KUP2", "KLOW2", "RSQR", "RANK", "RSV", "IMAX", "IMIN", "CNTP", "CNTN"), _SHARE),
    **dict.fromkeys(("SUMP", "SUMN", "VSUMP", "VSUMN"), _SHARE),
    **dict.fromkeys(("ZERO", "DOWNVAR", "CLV", "TOHIGH"), _SHARE),
    **dict.fromkeys(("ONIDCORR", "MCORR", "RESAC"), _SIGNED_SHARE),
    "TOLOW": (1.0, 100.0),
    "SINCEHIGH": (0.0, 249.0),
    **dict.fromkeys(("KMID2", "KSFT2", "IMXD", "CORR", "CORD", "CNTD", "SUMD", "VSUMD"), _SIGNED_SHARE),
    **dict.fromkeys(("KMID", "KSFT"), (-2.0, 2.0)),
    **dict.fromkeys(("KLEN", "KUP", "KLOW"), (0.0, 3.0)),
    **dict.fromkeys(("OPEN0", "HIGH0", "LOW0", "VWAP0"), (0.1, 10.0)),
    **dict.fromkeys(("ROC", "MA", "MAX", "MIN", "QTLU", "QTLD"), _PRICES),
    **dict.fromkeys(("CLOSE", "OPEN", "HIGH", "LOW", "VWAP"), _PRICES),
    "STD": (0.0, 20.0),
    "BETA": (-5.0, 5.0),
    "RESI": (-20.0, 20.0),
    **dict.fromkeys(("VMA", "VSTD"), _VOLUMES),
    # The standard deviation of n numbers that are not negative is at most √n times their mean.
    "WVMA": (0.0, max(WINDOWS) ** 0.5),
    "VOLUME": (0.0, 1e5),
}
# A factor of one's own may be anything, but not this far away.
_ANY = (-1e12, 1e12)


def plausible_range(name: str) -> tuple[float, float]:
    """From where to where a factor's values may lie."""
    return _RANGES.get(name) or _RANGES.get(name.rstrip("0123456789")) or _ANY
