"""A verdict on each symbol's candles, and the report that says what is wrong with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.finding import Finding
from niftyformer_assets.market.cleaning import CleanMarket
from niftyformer_assets.market.records import NO_SESSION, NOT_FINAL, WRONG_DATES
from niftyformer_assets.market.settings import QualitySettings
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.tables import write_parquet
from niftyformer_assets.words import counted

# With fewer usable symbols than this share of those listed, something is wrong with the source, not with stocks.
LEAST_USABLE_SHARE = 0.5

# A stock whose candles end more than this many sessions before the last one was suspended or delisted.
_STALE_SESSIONS = 5
_MAX_LISTED = 200
_ICONS = {"ok": "✓", "warn": "!", "fail": "✗", "unavailable": "–"}


@dataclass(frozen=True, eq=False)
class Quality:
    """What the report says.

    table: one row a symbol: symbol, verdict (`ok`, `warn`, `fail`, `unavailable`), reason,
        in_universe, rows (usable candles), first, last, missing_share (of the sessions between the
        two), coverage (of all sessions), zero_volume_share, quarantined (candles of sessions dropped
        and breaks cut), segments, suspects, confirmed_breaks (the sessions of the breaks that something
        confirms, with commas between), details (each quarantined thing in words).
    market: what the verdicts are about.
    readjusted: what Kite changed in history when, in words, by symbol.
    settings: the thresholds used.
    """

    table: pd.DataFrame
    market: CleanMarket
    readjusted: Mapping[str, Sequence[str]]
    settings: QualitySettings

    @property
    def final_universe(self) -> list[str]:
        """The symbols that have candles and did not fail."""
        return self.table.loc[self.table["in_universe"], "symbol"].tolist()

    def count(self, verdict: str) -> int:
        return int((self.table["verdict"] == verdict).sum())


def assess(
    market: CleanMarket,
    unavailable: Mapping[str, str],
    settings: QualitySettings | None = None,
    readjusted: Mapping[str, Sequence[str]] | None = None,
) -> Quality:
    """Judge every symbol, as of the last session.

    Args:
        unavailable: why a symbol has no candles, for each that has none.
        readjusted: what Kite changed in history when, in words, by symbol.
    """
    settings = settings or QualitySettings()
    shares = _Shares(market)
    # What befalls many at once is told once; a candle on a date without trading takes nothing with it.
    lost = market.quarantine[market.quarantine["what"] != NO_SESSION]
    own = lost[lost["what"] != NOT_FINAL].groupby("symbol").size().to_dict()
    details = {symbol: _in_words(rows) for symbol, rows in lost.groupby("symbol")}
    cut = lost.groupby("symbol").size().to_dict()
    misdated = set(market.quarantine.loc[market.quarantine["what"] == WRONG_DATES, "symbol"])
    seen = market.suspects.groupby("symbol").size().to_dict()
    told = market.breaks[market.breaks["confirmed"] != ""]
    confirmed = told["session"].dt.strftime("%Y-%m-%d").groupby(told["symbol"]).agg(",".join).to_dict()
    rows = []
    for column, symbol in enumerate(market.axes.symbols):
        counts = cut.get(symbol, 0), own.get(symbol, 0), seen.get(symbol, 0)
        problems = _problems(shares, column, *counts, market, settings)
        if symbol in misdated:
            problems["fail"].insert(0, "its dates are wrong")
        verdict = "fail" if problems["fail"] else "warn" if problems["warn"] else "ok"
        rows.append(
            {
                "symbol": symbol,
                "verdict": verdict,
                "reason": "; ".join([*problems["fail"], *problems["warn"]]),
                "in_universe": verdict != "fail",
                "rows": int(shares.rows[column]),
                "first": shares.first[column],
                "last": shares.last[column],
                "missing_share": shares.missing[column],
                "coverage": shares.coverage[column],
                "zero_volume_share": shares.zero_volume[column],
                "quarantined": cut.get(symbol, 0),
                "segments": int(market.segment[-1, column] + 1),
                "suspects": seen.get(symbol, 0),
                "confirmed_breaks": confirmed.get(symbol, ""),
                "details": details.get(symbol, ""),
            }
        )
    for symbol, reason in unavailable.items():
        if symbol not in market.axes.symbols:
            rows.append(_unavailable(symbol, reason))
    table = pd.DataFrame(rows, columns=list(_unavailable("", "")))
    for column_name in ("first", "last"):
        table[column_name] = pd.to_datetime(table[column_name]).astype("datetime64[ms]")
    return Quality(table.sort_values("symbol", ignore_index=True), market, readjusted or {}, settings)


def save_quality(table_path: Path, text_path: Path, quality: Quality) -> None:
    """Write the table and the readable report."""
    write_parquet(table_path, quality.table)
    write_text(text_path, report_markdown(quality))


def report_markdown(quality: Quality) -> str:
    """The report for a person: the verdict first, then what is wrong, then every symbol."""
    table, market = quality.table, quality.market
    lines = ["# Data quality", "", _headline(quality), ""]
    lines += ["An experiment decides which symbols take part by their candles up to its own training end.", ""]
    if len(market.axes.dates):
        first, last = market.axes.dates[0], market.axes.dates[-1]
        lines += [
            f"Candles of {counted(len(market.axes.symbols), 'symbol')} from {first} to {last}, "
            f"{counted(len(market.axes.dates), 'session')}.",
            "",
        ]
    if len(market.unknown_sessions):
        listed = ", ".join(map(str, market.unknown_sessions))
        lines += [
            f"Most stocks traded on sessions the calendar does not know: {listed}. They are used; add them to "
            "data/reference/special_sessions.csv.",
            "",
        ]
    if len(market.silent_sessions):
        lines += [f"No stock has a candle on {_some(market.silent_sessions.astype(str).tolist())}: left out.", ""]
    outside = market.quarantine[market.quarantine["what"] == NO_SESSION]
    if len(outside):
        days, symbols = (
            sorted(set(column)) for column in (outside["session"].dt.strftime("%Y-%m-%d"), outside["symbol"])
        )
        lines += [
            f"Dropped: {counted(len(outside), 'candle')} of {counted(len(symbols), 'symbol')} ({_some(symbols)}) "
            f"on dates on which NSE did not trade ({_some(days)}).",
            "",
        ]
    if len(market.stale_sessions):
        lines += [
            f"On {_some(market.stale_sessions.astype(str).tolist())} most stocks' candles are those of the session "
            "before once more: not yet final, and left out. Fetch them again.",
            "",
        ]
    lines += _section("Failed, as of the last session", table[table["verdict"] == "fail"])
    lines += _section("Without candles, and so in no experiment", table[table["verdict"] == "unavailable"])
    lines += _section("Used, with a warning", table[table["verdict"] == "warn"])
    lines += _unconfirmed(market.breaks)
    lines += _findings("Quarantined", market.quarantine[~market.quarantine["what"].isin((NO_SESSION, NOT_FINAL))])
    lines += _findings("Suspected, and kept", market.suspects)
    lines += _findings("Kept, because NSE's list of corporate actions names none", market.acquitted)
    lines += _readjusted(quality.readjusted)
    lines += ["## Every symbol with candles", "", *_symbols(table[table["verdict"] != "unavailable"])]
    return "\n".join(lines) + "\n"


class _Shares:
    """Counts and shares by symbol [N]."""

    def __init__(self, market: CleanMarket) -> None:
        present = np.isfinite(market.close)
        sessions = len(present)
        self.rows = present.sum(axis=0)
        begin = present.argmax(axis=0)
        end = sessions - 1 - present[::-1].argmax(axis=0) if sessions else begin
        some = self.rows > 0
        span = np.where(some, end - begin + 1, 1)
        self.first = np.where(some, market.axes.dates[begin], np.datetime64("NaT", "D"))
        self.last = np.where(some, market.axes.dates[end], np.datetime64("NaT", "D"))
        self.behind = np.where(some, sessions - 1 - end, sessions)
        self.missing = np.where(some, 1 - self.rows / span, 1.0)
        self.coverage = self.rows / max(sessions, 1)
        self.zero_volume = (market.volume == 0).sum(axis=0) / np.maximum(self.rows, 1)


def _problems(
    shares: _Shares,
    column: int,
    quarantined: int,
    own: int,
    suspects: int,
    market: CleanMarket,
    settings: QualitySettings,
) -> dict[str, list[str]]:
    """Why a symbol fails and what to warn of; `own` of the quarantined things befell it and not most stocks."""
    fail, warn = [], []
    if not shares.rows[column]:
        fail.append("no candle is usable")
    elif shares.missing[column] > settings.max_missing_share:
        fail.append(f"{shares.missing[column]:.1%} of the sessions between its first and last candle are missing")
    if quarantined > max(settings.max_quarantined_share * market.raw_count[column], 1):
        fail.append(f"{quarantined} of {counted(int(market.raw_count[column]), 'candle')} quarantined")
    elif own:
        warn.append(f"{own} quarantined")
    if shares.zero_volume[column] > settings.max_zero_volume_share:
        warn.append(f"{shares.zero_volume[column]:.1%} of its candles have no volume")
    if shares.behind[column] > _STALE_SESSIONS:
        warn.append(f"ends {counted(int(shares.behind[column]), 'session')} before the last one")
    if suspects:
        warn.append(f"{suspects} suspected")
    return {"fail": fail, "warn": warn}


def _unavailable(symbol: str, reason: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "verdict": "unavailable",
        "reason": reason,
        "in_universe": False,
        "rows": 0,
        "first": None,
        "last": None,
        "missing_share": 1.0,
        "coverage": 0.0,
        "zero_volume_share": 0.0,
        "quarantined": 0,
        "segments": 0,
        "suspects": 0,
        "confirmed_breaks": "",
        "details": "",
    }


def _in_words(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{session:%Y-%m-%d} {what}: {reason} ({effect})"
        for session, what, reason, effect in zip(
            rows["session"], rows["what"], rows["reason"], rows["effect"], strict=True
        )
    )


def _headline(quality: Quality) -> str:
    used, total = len(quality.final_universe), len(quality.table)
    parts = [f"{quality.count('fail')} failed", f"{quality.count('unavailable')} unavailable"]
    parts.append(f"{quality.count('warn')} used with a warning")
    lost = quality.market.quarantine["what"] != NO_SESSION
    quarantined = counted(int(lost.sum()), "candle or return", "candles or returns")
    return f"**{used} of {counted(total, 'symbol')} can be used** ({', '.join(parts)}); {quarantined} quarantined."


def _section(title: str, rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return []
    listed = [f"- {symbol}: {reason}" for symbol, reason in zip(rows["symbol"], rows["reason"], strict=True)]
    return [f"## {title}", "", *listed, ""]


def _findings(title: str, rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return []
    lines = [f"## {title}", "", "| symbol | session | what | why | effect |", "|---|---|---|---|---|"]
    shown = rows.head(_MAX_LISTED)
    for symbol, session, what, reason, effect in shown.itertuples(index=False):
        lines.append(f"| {symbol} | {session:%Y-%m-%d} | {what} | {reason} | {effect} |")
    if len(rows) > len(shown):
        lines.append(f"\n… and {len(rows) - len(shown)} more.")
    return [*lines, ""]


def _unconfirmed(breaks: pd.DataFrame) -> list[str]:
    rows = breaks[breaks["confirmed"] == ""]
    if rows.empty:
        return []
    lines = [
        "## Taken for wrong adjustments without confirmation",
        "",
        "If one of these moves was real, a holding is carried across it at a value that it did not have. NSE's list of "
        "corporate actions, dropped into data/reference/, confirms or acquits them.",
        "",
        "| symbol | session | last close of | return, had it been real |",
        "|---|---|---|---:|",
    ]
    listed = [
        f"| {row.symbol} | {row.session:%Y-%m-%d} | {row.last_session:%Y-%m-%d} | {row.move:+.1%} |"
        for row in rows.itertuples(index=False)
    ]
    return [*lines, *listed, ""]


def _readjusted(changes: Mapping[str, Sequence[str]]) -> list[str]:
    listed = [f"- {symbol}, {change}" for symbol, of_symbol in sorted(changes.items()) for change in of_symbol]
    if not listed:
        return []
    more = [f"- … and {len(listed) - _MAX_LISTED} more"] if len(listed) > _MAX_LISTED else []
    return ["## Re-adjusted by Kite", "", *listed[:_MAX_LISTED], *more, ""]


def _symbols(table: pd.DataFrame) -> list[str]:
    lines = [
        "| | symbol | candles | first | last | missing | coverage | no volume | quarantined |",
        "|---|---|---:|---|---|---:|---:|---:|---:|",
    ]
    for row in table.to_dict("records"):
        first, last = (f"{row[name]:%Y-%m-%d}" if pd.notna(row[name]) else "" for name in ("first", "last"))
        lines.append(
            f"| {_ICONS[row['verdict']]} | {row['symbol']} | {row['rows']} | {first} | {last} | "
            f"{row['missing_share']:.1%} | {row['coverage']:.1%} | {row['zero_volume_share']:.1%} | "
            f"{row['quarantined']} |"
        )
    return lines


def _some(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def enough_usable(report: pd.DataFrame) -> Finding:
    """At least half of the symbols of a quality report that have candles can be used, and two at least."""
    listed = report[report["verdict"] != "unavailable"]
    usable = int(listed["in_universe"].sum())
    return Finding(
        usable >= max(2, LEAST_USABLE_SHARE * len(listed)),
        f"{usable} of {len(listed)} symbols with candles can be used",
        {"usable": usable, "with_candles": len(listed), "listed": len(report)},
        defect=True,
    )


def nothing_quarantined(report: pd.DataFrame) -> Finding:
    """No symbol of a quality report failed, and no candle was quarantined."""
    found = report[(report["verdict"] == "fail") | (report["quarantined"] > 0)]
    failed = found["verdict"] == "fail"
    parts = [
        f"{len(symbols)} symbol{'' if len(symbols) == 1 else 's'} {what}: {', '.join(symbols[:10])}"
        f"{f' and {len(symbols) - 10} more' if len(symbols) > 10 else ''}"
        for what, symbols in (
            ("that cannot be used", list(found["symbol"][failed])),
            ("with quarantined candles", list(found["symbol"][~failed])),
        )
        if symbols
    ]
    return Finding(
        found.empty,
        "; ".join(parts) or "nothing was quarantined",
        tables={"found": found[["symbol", "verdict", "reason", "details"]]},
    )
