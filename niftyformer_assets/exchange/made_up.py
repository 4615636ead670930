"""A made-up market: seeded, deterministic, and with a predictability that is known and can be switched off.

**How a return comes about.** The log return of stock i in session t is

    drift + beta_i · market_t + sector_{s(i),t} + own_{i,t}

with daily standard deviations of about 1.0% (market), 0.8% (sector) and 0.9–1.9% (own, fixed for a
stock). Two stocks of a sector correlate by about 0.5, two others by about 0.3.

**What is planted.** Each stock has a hidden score s, an AR(1) process of variance 1 whose
coefficient is `persistence` (0.95), independent between stocks. It does two things:

1. It decides where the close lies in the session's range: (close − low) / (high − low) =
   0.08 + 0.84 / (1 + exp(−1.702 s)). Only the rounding to paise disturbs that, so the factors that
   read it (KSFT2, KLOW2, KUP2 of Alpha158, and more noisily KSFT, KLOW, KUP, RSV5) see the score.
2. It moves the next session's own return: own_{t+1} = sigma_i · (strength · s_t + √(1 − strength²) · noise),
   with `strength` 0.2.

So a score made at the close of t has a daily cross-sectional rank IC of about 0.15 with the return
of t+1, and about `persistence` times that with t+2, the step that can be traded (the other factors
dilute 0.2). With `predictability` off the candles show the same pattern, and the noise is
the same, but the return ignores it: the IC is 0 up to chance.

**Causal.** All noise of a session is drawn from a generator that is keyed with (seed, date), so a
price depends on nothing later, and a market over more sessions has the same history. Moving the
*first* session makes another history.

**The index.** `NIFTY 50` starts at 10,000 and moves by the mean return of the stocks that also
traded in the session before; its volume is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from niftyformer_assets.exchange.market import BENCHMARK, Candles, ServedMarket, csv_text, instruments_of
from niftyformer_assets.exchange.settings import INDUSTRIES, MadeUpSettings, made_up_symbols

INDEX_START = 10_000.0
MARKET_SD, SECTOR_SD = 0.010, 0.008
DRIFT = 0.0004
NOISE_LIMIT = 4.0  # standard deviations: keeps overnight gaps far below what looks like a broken adjustment


def make_market(sessions: np.ndarray, settings: MadeUpSettings) -> ServedMarket:
    """Make the market of these sessions.

    Args:
        sessions: datetime64[D] [T], strictly increasing. `exchange` knows no calendar, so the
            caller says which days are sessions.

    Returns:
        `settings.stocks` stocks and the index, each with its candles from its listing on (none,
        if it lists after the last session).
    """
    sessions = _checked(sessions)
    paths = _paths(sessions, settings)
    names = _company_names(settings)
    candles = {symbol: _candles(paths, sessions, stock) for stock, symbol in enumerate(names)}
    candles[BENCHMARK] = _index(paths, sessions)
    instruments = instruments_of({**names, BENCHMARK: "Made-up NIFTY 50"})
    return ServedMarket(instruments, candles, _index_list(names))


def planted_score(sessions: np.ndarray, settings: MadeUpSettings) -> np.ndarray:
    """The hidden score [T, N] at the close of each session, for tests to recover.

    Row t says something about the returns of t+1 and, less, of later sessions. NaN before a stock
    lists. Columns are in the order of `made_up_symbols`.
    """
    sessions = _checked(sessions)
    score = _score(_noise(sessions, settings).score, settings)
    return np.where(_listed(len(sessions), settings), score, np.nan)


@dataclass(frozen=True, eq=False)
class _Noise:
    """Standard normal draws: market [T], sectors [T, S], all others [T, N]."""

    market: np.ndarray
    sectors: np.ndarray
    own: np.ndarray
    score: np.ndarray
    spread: np.ndarray
    overnight: np.ndarray
    volume: np.ndarray


@dataclass(frozen=True, eq=False)
class _Paths:
    """Prices before rounding, and volumes, [T, N]; `previous` is the close of the session before."""

    previous: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    listed: np.ndarray


def _checked(sessions: np.ndarray) -> np.ndarray:
    sessions = np.asarray(sessions, dtype="datetime64[D]")
    if sessions.ndim != 1 or not len(sessions) or np.any(np.diff(sessions) <= np.timedelta64(0, "D")):
        raise ValueError("a made-up market needs at least one session, and strictly increasing ones")
    return sessions


def _noise(sessions: np.ndarray, settings: MadeUpSettings) -> _Noise:
    stocks, sectors = settings.stocks, len(INDUSTRIES)
    size = 1 + sectors + 5 * stocks
    days = sessions.astype(int)
    draws = np.stack([np.random.default_rng([settings.seed, int(day)]).standard_normal(size) for day in days])
    draws = np.clip(draws, -NOISE_LIMIT, NOISE_LIMIT)
    parts = np.split(draws, np.cumsum([1, sectors, stocks, stocks, stocks, stocks]), axis=1)
    return _Noise(parts[0][:, 0], *parts[1:])


def _score(noise: np.ndarray, settings: MadeUpSettings) -> np.ndarray:
    score = np.empty_like(noise)
    score[0] = noise[0]
    fresh = np.sqrt(1 - settings.persistence**2)
    for session in range(1, len(noise)):
        score[session] = settings.persistence * score[session - 1] + fresh * noise[session]
    return score


def _listed(count: int, settings: MadeUpSettings) -> np.ndarray:
    """bool [T, N]: does the stock trade yet?"""
    first = np.zeros(settings.stocks, dtype=int)
    late = settings.late_listings
    first[settings.stocks - late :] = settings.listing_gap * np.arange(1, late + 1)
    return np.arange(count)[:, None] >= first


def _paths(sessions: np.ndarray, settings: MadeUpSettings) -> _Paths:
    noise = _noise(sessions, settings)
    stocks = settings.stocks
    traits = np.random.default_rng([settings.seed])
    own_sd = np.clip(0.013 * np.exp(0.25 * traits.standard_normal(stocks)), 0.009, 0.019)
    beta = np.clip(1 + 0.25 * traits.standard_normal(stocks), 0.4, 1.6)
    first_price = np.clip(600 * np.exp(0.8 * traits.standard_normal(stocks)), 60, 5000)
    usual_volume = 500_000 * np.exp(traits.standard_normal(stocks))

    score = _score(noise.score, settings)
    known = np.vstack([np.zeros(stocks), score[:-1]])
    strength = settings.strength if settings.predictability else 0.0
    own = own_sd * (strength * known + np.sqrt(1 - strength**2) * noise.own)
    sector = SECTOR_SD * noise.sectors[:, np.arange(stocks) % len(INDUSTRIES)]
    change = DRIFT + MARKET_SD * beta * noise.market[:, None] + sector + own

    close = first_price * np.exp(np.cumsum(change, axis=0))
    previous = np.vstack([first_price, close[:-1]])
    place = 0.08 + 0.84 / (1 + np.exp(-1.702 * score))
    spread = 0.5 * np.abs(change) + own_sd * np.exp(0.35 * noise.spread)
    low, high = close * (1 - place * spread), close * (1 + (1 - place) * spread)
    return _Paths(
        previous=previous,
        open=np.clip(previous * np.exp(0.004 * noise.overnight), low, high),
        high=high,
        low=low,
        close=close,
        volume=np.rint(usual_volume * np.exp(0.4 * np.abs(change) / own_sd + 0.35 * noise.volume)),
        listed=_listed(len(sessions), settings),
    )


def _candles(paths: _Paths, sessions: np.ndarray, stock: int) -> Candles:
    trades = paths.listed[:, stock]

    def price(values: np.ndarray) -> np.ndarray:
        return np.round(values[trades, stock], 2)

    volume = paths.volume[trades, stock].astype(np.int64)
    return Candles(sessions[trades], price(paths.open), price(paths.high), price(paths.low), price(paths.close), volume)


def _index(paths: _Paths, sessions: np.ndarray) -> Candles:
    # A stock counts from its second session on: nobody held it at the close before its first.
    counts = np.vstack([paths.listed[:1], paths.listed[:-1]])
    relative = {
        name: np.where(counts, getattr(paths, name) / paths.previous, 0).sum(axis=1) / counts.sum(axis=1)
        for name in ("open", "high", "low", "close")
    }
    close = INDEX_START * np.cumprod(relative["close"])
    before = np.concatenate([[INDEX_START], close[:-1]])
    open_, high, low = (np.round(before * relative[name], 2) for name in ("open", "high", "low"))
    return Candles(sessions, open_, high, low, np.round(close, 2), np.zeros(len(sessions), dtype=np.int64))


def _company_names(settings: MadeUpSettings) -> dict[str, str]:
    """symbol -> company name, in the order of the stocks."""
    return {
        symbol: f"Made-up {INDUSTRIES[stock % len(INDUSTRIES)]} {stock // len(INDUSTRIES) + 1} Ltd."
        for stock, symbol in enumerate(made_up_symbols(settings))
    }


def _index_list(names: dict[str, str]) -> str:
    """In NSE's format; `XX` is no country, so no ISIN is anybody's."""
    rows = [
        (name, INDUSTRIES[stock % len(INDUSTRIES)], symbol, "EQ", f"XXDEMO{stock + 1:06d}")
        for stock, (symbol, name) in enumerate(names.items())
    ]
    return csv_text([("Company Name", "Industry", "Symbol", "Series", "ISIN Code"), *rows])
