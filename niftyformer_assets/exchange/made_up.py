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

**Others.** `others` more stocks come about in the same way, with noise of their own and the moves of the same market
and sectors; they change no price of the first `stocks`, and are in the lists of indices larger than the
NIFTY-200 only. Smaller ones have the first half of the stocks.

**The index.** `NIFTY 50` starts at 10,000 and moves by the mean return of the stocks that also
traded in the session before; its volume is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from niftyformer_assets.exchange.market import BENCHMARK, Candles, ServedMarket, csv_text, instruments_of
from niftyformer_assets.exchange.settings import INDUSTRIES, MadeUpSettings, made_up_symbols, other_symbols
from niftyformer_assets.indices import DEFAULT, INDICES, Index

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
        `settings.stocks` stocks, the others, and the index, each with its candles from its listing on (none,
        if it lists after the last session).
    """
    sessions = _checked(sessions)
    noise = _noise(sessions, settings)
    paths = _paths(noise, _traits(settings), _listed(len(sessions), settings), settings)
    names = _company_names(settings)
    symbols = made_up_symbols(settings)
    candles = {symbol: _candles(paths, sessions, stock) for stock, symbol in enumerate(symbols)}
    if settings.others:
        more = _paths(*_of_others(noise, sessions, settings), settings)
        candles |= {symbol: _candles(more, sessions, place) for place, symbol in enumerate(other_symbols(settings))}
    candles[BENCHMARK] = _index(paths, sessions)
    instruments = instruments_of({**names, BENCHMARK: "Made-up NIFTY 50"})
    return ServedMarket(instruments, candles, _index_lists(names, settings))


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
    """Standard normal draws: market [T], the sector of each stock and all others [T, N]."""

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
    return _Noise(parts[0][:, 0], parts[1][:, np.arange(stocks) % sectors], *parts[2:])


def _of_others(noise: _Noise, sessions: np.ndarray, settings: MadeUpSettings) -> tuple[_Noise, np.ndarray, np.ndarray]:
    """Noise, traits and listing of the stocks beside the first ones; another number of them changes none."""
    count = settings.others
    days = sessions.astype(int)
    # A third word keeps these apart from the draws of the first stocks.
    draws = np.stack([np.random.default_rng([settings.seed, int(day), 1]).standard_normal((count, 5)) for day in days])
    draws = np.clip(draws, -NOISE_LIMIT, NOISE_LIMIT)
    of_sector = dict(zip(np.arange(settings.stocks) % len(INDUSTRIES), noise.sectors.T, strict=True))
    industries = np.arange(settings.stocks, settings.stocks + count) % len(INDUSTRIES)
    quiet = np.zeros(len(sessions))
    sectors = np.stack([of_sector.get(industry, quiet) for industry in industries], axis=1)
    traits = np.random.default_rng([settings.seed, 0, 1]).standard_normal((count, 4)).T
    return _Noise(noise.market, sectors, *np.moveaxis(draws, 2, 0)), traits, np.ones((len(sessions), count), dtype=bool)


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


def _traits(settings: MadeUpSettings) -> np.ndarray:
    """What a stock has for good, as standard normal draws [4, N]."""
    traits = np.random.default_rng([settings.seed])
    return np.stack([traits.standard_normal(settings.stocks) for _ in range(4)])


def _paths(noise: _Noise, traits: np.ndarray, listed: np.ndarray, settings: MadeUpSettings) -> _Paths:
    own_sd = np.clip(0.013 * np.exp(0.25 * traits[0]), 0.009, 0.019)
    beta = np.clip(1 + 0.25 * traits[1], 0.4, 1.6)
    first_price = np.clip(600 * np.exp(0.8 * traits[2]), 60, 5000)
    usual_volume = 500_000 * np.exp(traits[3])

    score = _score(noise.score, settings)
    known = np.vstack([np.zeros(score.shape[1]), score[:-1]])
    strength = settings.strength if settings.predictability else 0.0
    own = own_sd * (strength * known + np.sqrt(1 - strength**2) * noise.own)
    change = DRIFT + MARKET_SD * beta * noise.market[:, None] + SECTOR_SD * noise.sectors + own

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
        listed=listed,
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
    """symbol -> company name, in the order of the stocks, others behind them."""
    return {
        symbol: f"Made-up {INDUSTRIES[stock % len(INDUSTRIES)]} {stock // len(INDUSTRIES) + 1} Ltd."
        for stock, symbol in enumerate([*made_up_symbols(settings), *other_symbols(settings)])
    }


def _index_lists(names: dict[str, str], settings: MadeUpSettings) -> dict[str, str]:
    """The list of each index: all stocks, half of them where it is smaller than the NIFTY-200, or others as well."""
    usual = INDICES[DEFAULT].members

    def members(index: Index) -> int:
        if index.members < usual:
            return (settings.stocks + 1) // 2
        return settings.stocks if index.members == usual else len(names)

    return {index.list_file: _index_list(dict(islice(names.items(), members(index)))) for index in INDICES.values()}


def _index_list(names: dict[str, str]) -> str:
    """In NSE's format; `XX` is no country, so no ISIN is anybody's."""
    rows = [
        (name, INDUSTRIES[stock % len(INDUSTRIES)], symbol, "EQ", f"XXDEMO{stock + 1:06d}")
        for stock, (symbol, name) in enumerate(names.items())
    ]
    return csv_text([("Company Name", "Industry", "Symbol", "Series", "ISIN Code"), *rows])
