"""The 93 factors' names, formulas and sources, in their order; `docs/list_factors.py` makes a table of them.

The signs of the formulas are told in docs/factors.md.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A factor for the documentation."""

    formula: str
    meaning: str
    source: str


_NIGHT = "Lou, Polk and Skouras 2019"
_AMIHUD, _TURNOVER, _ZEROS = "Amihud 2002", "Datar, Naik and Radcliffe 1998", "Lesmond, Ogden and Trzcinka 1999"
_SHOCK, _BETA, _IVOL = "Gervais, Kaniel and Mingelgrin 2001", "Frazzini and Pedersen 2014", "Ang et al. 2006"
_MAX, _SKEW = "Bali, Cakici and Whitelaw 2011", "Boyer, Mitton and Vorkink 2010"
_MOMENTUM, _RESIDUAL, _REVERSAL = "Jegadeesh and Titman 1993", "Blitz, Huij and Martens 2011", "Jegadeesh 1990"
_HIGH, _PCA, _GROUP = "George and Hwang 2004", "Avellaneda and Lee 2010", "Moskowitz and Grinblatt 1999"
_OWN = "own"

OVERNIGHT = {
    **{f"ON{d}": Entry(f"Σ on, {d}", "return of the nights", _NIGHT) for d in (1, 5, 20, 60, 250)},
    **{f"ID{d}": Entry(f"Σ id, {d}", "return of the days, open to close", _NIGHT) for d in (1, 5, 20, 60, 250)},
    **{f"ONID{d}": Entry(f"ON{d} − ID{d}", "nights less days", _NIGHT) for d in (20, 60)},
    **{f"ONVW{d}": Entry(f"Σ V·on / Σ V, {d}", "night, weighted by the session's volume", _OWN) for d in (5, 20)},
    "ONIDVOL20": Entry("std(on) / std(id), 20", "how much of the movement is at night", _OWN),
    "ONIDCORR60": Entry("corr(on, id), 60", "whether the day goes on with the night", _OWN),
}
LIQUIDITY = {
    **{f"ILLIQ{d}": Entry(f"mean(|R| / TV), {d}", "price impact", _AMIHUD) for d in (20, 60, 250)},
    **{f"LTV{d}": Entry(f"mean(lt), {d}", "log traded value", _TURNOVER) for d in (20, 250)},
    "TSHOCK": Entry("lt − mean(lt, 20)", "turnover shock", _SHOCK),
    "TTREND5_60": Entry("mean(lt, 5) − mean(lt, 60)", "trend of the traded value", _OWN),
    "TTREND20_250": Entry("mean(lt, 20) − mean(lt, 250)", "trend of the traded value", _OWN),
    "TVOL60": Entry("std(lt), 60", "unsteadiness of the traded value", "Chordia, Subrahmanyam and Anshuman 2001"),
    "TSHOCKSIGN": Entry("TSHOCK · sign(R)", "turnover shock in the return's direction", _SHOCK),
    **{f"TSHOCKRET{d}": Entry(f"mean(TSHOCK · R), {d}", "returns weighted by shocks", _OWN) for d in (5, 20)},
    "ZERO60": Entry("mean(R = 0), 60", "share of sessions without a move", _ZEROS),
}
RISK = {
    **{f"MBETA{d}": Entry(f"cov(R, M) / var(M), {d}", "beta to the market", _BETA) for d in (60, 250)},
    "DBETA250": Entry("beta where M < 0, less MBETA250", "downside beta less beta", "Ang, Chen and Xing 2006"),
    **{f"IVOL{d}": Entry(f"std(E), {d}", "idiosyncratic volatility", _IVOL) for d in (20, 60, 250)},
    "VOL20": Entry("std(R), 20", "volatility", _IVOL),
    "VOLR5_60": Entry("std(R, 5) / std(R, 60)", "volatility against its past", _OWN),
    "VOLR20_250": Entry("std(R, 20) / std(R, 250)", "volatility against its past", _OWN),
    **{f"RMAX{d}": Entry(f"max(R), {d}", "best session", _MAX) for d in (5, 20, 250)},
    "RMIN20": Entry("min(R), 20", "worst session", _MAX),
    "ISKEW60": Entry("m₃(E) / m₂(E)^1.5, 60", "idiosyncratic skewness", _SKEW),
    "MCORR60": Entry("corr(R, M), 60", "correlation with the market", "Asness et al. 2020"),
    "DOWNVAR60": Entry("Σ R²[R < 0] / Σ R², 60", "share of the variance on falling sessions", _OWN),
    "PARK20": Entry("mean(ln²(H / L)) / (4 ln 2) / var(R), 20", "range variance over close-to-close", "Parkinson 1980"),
}
MOMENTUM = {
    **{
        f"MOM{d}_20": Entry(f"ln(C[−20] / C[−{d}])", f"the {d - 20} sessions before the last 20", _MOMENTUM)
        for d in (250, 120, 60)
    },
    "MOMIVOL250_20": Entry("MOM250_20 / IVOL250", "momentum by risk", _OWN),
    **{f"RES{d}": Entry(f"Σ E, {d}", "residual return: reversal", _REVERSAL) for d in (1, 2, 3, 5, 10, 20, 60)},
    **{f"RESIVOL{d}": Entry(f"RES{d} / IVOL60", "the same by risk", _REVERSAL) for d in (1, 5)},
    "RESMOM250_20": Entry("Σ E[−20], 230 / IVOL250", "residual momentum", _RESIDUAL),
    **{f"RESLAG{d}": Entry(f"E[−{d}]", f"residual return {d} sessions ago", _REVERSAL) for d in (1, 2, 3, 4)},
    **{f"RESAC{d}": Entry(f"corr(E, E[−1]), {d}", "autocorrelation of residual returns", _OWN) for d in (20, 60)},
    "TOHIGH250": Entry("C / max(H), 250", "close over the highest high", _HIGH),
    "TOLOW250": Entry("C / min(L), 250", "close over the lowest low", _HIGH),
    "SINCEHIGH250": Entry("sessions since max(C), 250", "since the highest close, the latest of equal ones", _HIGH),
}
CANDLE = {
    "CLV1": Entry("(C − L) / (H − L)", "close location in the candle", "accumulation/distribution (Chaikin)"),
    **{f"CLV{d}": Entry(f"mean(CLV1), {d}", "its mean", "accumulation/distribution (Chaikin)") for d in (5, 20)},
    "RANGE20": Entry("mean((H − L) / C), 20", "range of the candle", _OWN),
    "RANGER5_60": Entry("mean((H − L) / C, 5) / mean((H − L) / C, 60)", "range against its past", _OWN),
}
PRINCIPAL = {
    f"PCRES{d}": Entry(f"Σ P, {d}", "return without 15 principal components", _PCA) for d in (1, 3, 5, 10, 20, 60)
}
CLUSTERS = {
    **{f"CLREL{d}": Entry(f"Σ R, {d} − CLRET{d}", "return above the cluster's mean", _GROUP) for d in (1, 5, 20, 60)},
    **{f"CLRET{d}": Entry(f"mean of the cluster(Σ R, {d})", "return of the cluster", _GROUP) for d in (1, 5, 20, 60)},
    "CLTSHOCK": Entry("TSHOCK − mean of the cluster(TSHOCK)", "turnover shock above the cluster's", _OWN),
}
# The same of NSE's sectors, in the place of clusters.
SECTORS = {
    **{f"SECREL{d}": Entry(f"Σ R, {d} − SECRET{d}", "return above the sector's mean", _GROUP) for d in (1, 5, 20, 60)},
    **{f"SECRET{d}": Entry(f"mean of the sector(Σ R, {d})", "return of the sector", _GROUP) for d in (1, 5, 20, 60)},
    "SECTSHOCK": Entry("TSHOCK − mean of the sector(TSHOCK)", "turnover shock above the sector's", _OWN),
}
SEASONALITY = {
    **{
        f"WDAY{h}": Entry(f"mean(E) on the weekday of t+{h}, 250", "weekday", "Keloharju, Linnainmaa and Nyberg 2016")
        for h in (1, 2)
    },
    "CMONTH5": Entry("mean(E) in the month of t+1, 5 years before", "calendar month", "Heston and Sadka 2008"),
    "TMONTH250": Entry("mean(E) at turns of the month, 250", "turn of the month", "Lakonishok and Smidt 1988"),
}
GROUPS = {
    "overnight and intraday": OVERNIGHT,
    "liquidity": LIQUIDITY,
    "risk": RISK,
    "momentum and reversal": MOMENTUM,
    "candle": CANDLE,
    "principal components": PRINCIPAL,
    "clusters": CLUSTERS,
    "seasonality": SEASONALITY,
}
NSE93 = tuple(name for group in GROUPS.values() for name in group)
NSE93_SECTORS = tuple(name for group in GROUPS.values() for name in (SECTORS if group is CLUSTERS else group))
# Sessions of a stock after which every factor but the late ones has values: half a window of betas, half a window of
# what they leave, and up to a year until clusters are made.
NSE93_WARM_UP = 400
NSE93_LATE = ("CMONTH5",)
