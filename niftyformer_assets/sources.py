"""Whose candles a workspace holds, and the market that the simulated exchange serves: made up, or a folder."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from niftyformer_assets.settings import Settings
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import read_regular

# How the record of a live source begins, and all that a whole record may be: what was cut is none.
LIVE = "live candles of"
_RECORD = re.compile(
    rf"(?:{LIVE} (?:zerodha|elsewhere)|made up from \d{{4}}-\d{{2}}-\d{{2}}: MadeUpSettings\([^\n]*\)|"
    r"replay of candles [0-9a-f]{24})(?:\r?\n)?"  # as an editor may leave it
)
_MOST_BYTES = 1 << 16

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from niftyformer_assets.exchange.market import Candles, ServedMarket
    from niftyformer_assets.exchange.replay import Replay


def set_aside_candles_of_another_market(settings: Settings, market: ServedMarket) -> Path | None:
    """Move the candles of a workspace away if they are of another simulated market than the one served now.

    A replay of another folder would otherwise find candles up to date that are not its own. They lie
    in a folder of their own from then on, with the record of whose they are. A benchmark from a file
    that a person names is of no market, and stays.

    Returns:
        The folder they were moved to, None where nothing had to be.

    Raises:
        NiftyFormerError: the candles are of a live source, or nothing says whose they are.
    """
    workspace, identity = settings.workspace, _identity(settings, market)
    record, before = _record(settings), _source_of(settings)
    if before == identity:
        return None
    held = _held(settings)
    # Of a benchmark alone that nobody took for a source's yet, Kite is not the only origin: it is moved, not refused.
    if held and (before is None or before.startswith(LIVE)) and (record.exists() or any(_stocks(settings))):
        raise NiftyFormerError(
            f"{workspace.root} holds {_what(settings)} ({before or _of_unknown_source(record)}), which a "
            f"{'replay' if settings.source == 'replay' else 'made-up market'} would replace: set KITE_API_KEY again, "
            f"choose another workspace (NIFTYFORMER_WORKSPACE), or move {' and '.join(map(str, held))} away."
        )
    aside = _set_aside(settings, held, before) if held else None
    write_text(record, identity + "\n")
    return aside


def claim_for_live_candles(settings: Settings) -> None:
    """Record that a workspace's candles come from a live source.

    Raises:
        NiftyFormerError: it holds candles of another source, or nothing says whose they are.
    """
    record, before, identity = _record(settings), _source_of(settings), f"{LIVE} {settings.source}"
    if before == identity:
        return
    if any(_stocks(settings)):
        mend = (
            f"choose another workspace (NIFTYFORMER_WORKSPACE), or move {settings.workspace.raw} away"
            if before is not None
            else f"if they are, write {identity!r} as the one line of {record}; else move {settings.workspace.raw} away"
        )
        raise NiftyFormerError(
            f"{settings.workspace.raw} holds candles that are not known to be {identity} "
            f"({before or _of_unknown_source(record)}), which must not be mixed with others: {mend}."
        )
    write_text(record, identity + "\n")


def _stocks(settings: Settings) -> list[Path]:
    return sorted(settings.workspace.raw.glob("*.parquet"))


def _held(settings: Settings) -> list[Path]:
    """What a change of source would replace: the folder of candles where it has any, the benchmark if it is Kite's."""
    workspace = settings.workspace
    return [
        *([workspace.raw] if _stocks(settings) else []),
        *([workspace.benchmark_index] if settings.benchmark is None and workspace.benchmark_index.is_file() else []),
    ]


def _what(settings: Settings) -> str:
    stocks = len(_stocks(settings))
    return f"{stocks} symbols' candles" if stocks else "the benchmark's candles"


def _of_unknown_source(record: Path) -> str:
    return f"of an unknown source: {record} {'cannot be read' if record.exists() else 'is missing'}"


def _set_aside(settings: Settings, held: list[Path], before: str | None) -> Path:
    """Move files and folders whole into a new folder, each at once, so that a kill loses none."""
    try:
        aside = settings.workspace.new_set_aside()
        (aside / "source.txt").write_text(f"{before or 'unknown'}\n", encoding="utf-8")
        for path in held:
            path.rename(aside / path.name)
    except OSError as error:
        raise NiftyFormerError(
            f"{settings.workspace.root}: candles of another source could not be moved into its set_aside "
            f"({error.strerror or error}): check that the folder is writable, or choose another workspace."
        ) from error
    log.warning("candles of another source (%s) were moved to %s; delete them if they are not needed", before, aside)
    return aside


def _record(settings: Settings) -> Path:
    return settings.workspace.root / "source.txt"


def _source_of(settings: Settings) -> str | None:
    """Whose candles the workspace holds, None where that was never recorded or the record is not whole."""
    try:
        text = read_regular(_record(settings), _MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text.strip() if _RECORD.fullmatch(text) else None


def _identity(settings: Settings, market: ServedMarket) -> str:
    """A made-up market keeps its history when it gets longer; a folder is known by its candles."""
    if settings.source == "made up":
        return f"made up from {settings.made_up_start}: {settings.made_up}"
    digest = hashlib.sha256()
    for symbol, candles in sorted(market.candles.items()):
        digest.update(symbol.encode())
        for column in ("dates", "open", "high", "low", "close", "volume"):
            digest.update(np.ascontiguousarray(getattr(candles, column)).tobytes())
    return f"replay of candles {digest.hexdigest()[:24]}"


def simulated_market(settings: Settings) -> ServedMarket:
    """The market of the active workspace.

    Raises:
        NiftyFormerError: a folder to replay is not named, or cannot be read; the message names the
            file and what is wrong with it.
    """
    if settings.source != "replay":
        from niftyformer_assets.exchange.made_up import make_market
        from niftyformer_assets.market.calendar import sessions

        return make_market(sessions(settings.made_up_start, settings.made_up_end), settings.made_up)
    return replayed(settings).market


def replayed(settings: Settings) -> Replay:
    """The folder that the active workspace replays, and what a person should know of it.

    Raises:
        NiftyFormerError: as for `simulated_market`.
    """
    replay = read_replayed(settings)
    must_be_on_sessions(settings, replay.market)
    return replay


def read_replayed(settings: Settings) -> Replay:
    """As `replayed`, whatever its dates are."""
    from niftyformer_assets.exchange.replay import read_replay
    from niftyformer_assets.market.calendar import covered
    from niftyformer_assets.market.membership_files import kind_of, read_lists
    from niftyformer_assets.market.renames import renames

    if settings.replay is None:
        raise NiftyFormerError(
            f"workspace {settings.workspace.name} replays a folder of candles and none is named: "
            "set NIFTYFORMER_REPLAY (and NIFTYFORMER_INDEX_LIST), or give --replay and --index-list"
        )
    lists = [path for path in settings.given_lists if kind_of(path) == "list"]
    tables = read_lists(path for path in settings.given_lists if path not in lists)
    reassigned = _reassigned(settings.given_lists)
    replay = read_replay(
        settings.replay,
        lists,
        renames(),
        reassigned=reassigned,
        adjusted_close=settings.adjusted_close,
        others={
            name: member.isin for kept in tables for member in kept.members for name in (member.symbol, member.latest)
        },
    )
    start = covered()[0]
    early = sum(int((candles.dates < np.datetime64(start)).sum()) for candles in replay.market.candles.values())
    if not early:
        return replay
    said = f"candles before {start}, where the calendar of NSE's sessions begins, not used: {early:,}."
    return replace(replay, told=(*replay.told, said))


def must_be_on_sessions(settings: Settings, market: ServedMarket) -> None:
    """Refuse candles of a replayed folder of which more than a few of one symbol are on no session."""
    from niftyformer_assets.market.given_days import must_be_sessions

    for symbol, candles in market.candles.items():
        must_be_sessions(_traded_days(candles), f"{settings.replay}, candles of {symbol}")


def _reassigned(given: Sequence[Path]) -> dict[str, date]:
    """Symbols given up in a rename that are another company's in these lists, and since when.

    A list without a date in its name cannot tell.
    """
    from niftyformer_assets.market.identities import symbols_of_lists
    from niftyformer_assets.market.renames import rename_table

    latest = set(symbols_of_lists(given))
    return {rename.old: rename.first_session for rename in rename_table() if rename.old in latest}


def _traded_days(candles: Candles) -> np.ndarray:
    """The days on which the close moved: some sources repeat the last candle, or its close, on holidays."""
    return candles.dates[np.append(True, candles.close[1:] != candles.close[:-1])] if len(candles) else candles.dates
