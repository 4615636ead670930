"""Whose candles a workspace holds, and the market that the simulated exchange serves: made up, or a folder."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from niftyformer_assets.settings import Settings
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError

# How the record of a live source begins.
LIVE = "live candles of"

if TYPE_CHECKING:
    from niftyformer_assets.exchange.market import Candles, Market


def forget_candles_of_another_market(settings: Settings, market: Market) -> bool:
    """Remove the candles of a workspace if they are of another simulated market than the one served now.

    A replay of another folder would otherwise find candles up to date that are not its own. What
    was removed is fetched again. A benchmark from a file that a person names is of no market, and stays.

    Returns:
        Whether there was something to remove.

    Raises:
        NiftyFormerError: the candles are of a live source, or nothing says whose they are.
    """
    workspace, identity = settings.workspace, _identity(settings, market)
    before, stale = _source_of(settings), list(workspace.raw.glob("*.parquet"))
    if before == identity:
        return False
    if stale and (before is None or before.startswith(LIVE)):
        raise NiftyFormerError(
            f"{workspace.raw} holds {len(stale)} symbols' candles ({before or 'of an unknown source'}), which a "
            f"{'replay' if settings.source == 'replay' else 'made-up market'} would replace: set KITE_API_KEY again, "
            "or choose another workspace (NIFTYFORMER_WORKSPACE)."
        )
    for path in (*stale, *([workspace.benchmark_index] if settings.benchmark is None else [])):
        if path.is_file():
            path.unlink()
    write_text(_record(settings), identity + "\n")
    return bool(stale)


def claim_for_live_candles(settings: Settings) -> None:
    """Record that a workspace's candles come from a live source.

    Raises:
        NiftyFormerError: it holds made-up or replayed candles.
    """
    workspace, before = settings.workspace, _source_of(settings)
    if before is not None and not before.startswith(LIVE) and any(workspace.raw.glob("*.parquet")):
        raise NiftyFormerError(
            f"{workspace.raw} holds candles of another source ({before}), which live ones must not be mixed with: "
            "choose another workspace (NIFTYFORMER_WORKSPACE), or delete that folder."
        )
    identity = f"{LIVE} {settings.source}"
    if before != identity:
        write_text(_record(settings), identity + "\n")


def _record(settings: Settings) -> Path:
    return settings.workspace.root / "source.txt"


def _source_of(settings: Settings) -> str | None:
    """Whose candles the workspace holds, None where that was never recorded."""
    record = _record(settings)
    return record.read_text(encoding="utf-8").strip() if record.is_file() else None


def _identity(settings: Settings, market: Market) -> str:
    """A made-up market keeps its history when it gets longer; a folder is known by its candles."""
    if settings.source == "made up":
        return f"made up from {settings.made_up_start}: {settings.made_up}"
    digest = hashlib.sha256()
    for symbol, candles in sorted(market.candles.items()):
        digest.update(symbol.encode())
        for column in ("dates", "open", "high", "low", "close", "volume"):
            digest.update(np.ascontiguousarray(getattr(candles, column)).tobytes())
    return f"replay of candles {digest.hexdigest()[:24]}"


def simulated_market(settings: Settings) -> Market:
    """The market of the active workspace.

    Raises:
        NiftyFormerError: a folder to replay is not named, or cannot be read; the message names the
            file and what is wrong with it.
    """
    if settings.source != "replay":
        from niftyformer_assets.exchange.made_up import make_market
        from niftyformer_assets.market.calendar import sessions

        return make_market(sessions(settings.made_up_start, settings.made_up_end), settings.made_up)
    from niftyformer_assets.exchange.replay import load_folder
    from niftyformer_assets.market.given_days import must_be_sessions
    from niftyformer_assets.market.renames import renames

    if settings.replay is None:
        raise NiftyFormerError(
            f"workspace {settings.workspace.name} replays a folder of candles and none is named: "
            "set NIFTYFORMER_REPLAY (and NIFTYFORMER_INDEX_LIST), or give --replay and --index-list"
        )
    taken_over = _taken_over(settings.index_list) if settings.index_list is not None else {}
    market = load_folder(settings.replay, settings.index_list, renames(), taken_over=taken_over)
    for symbol, candles in market.candles.items():
        must_be_sessions(_traded_days(candles), f"{settings.replay}, candles of {symbol}")
    return market


def _taken_over(index_list: Path) -> dict[str, date]:
    """Symbols given up in a rename that are another company's in this list, and since when.

    A list without a date in its name cannot tell.
    """
    from niftyformer_assets.market.index_lists import date_of, identities, read_list
    from niftyformer_assets.market.renames import rename_table

    try:
        as_of = date_of(index_list)
    except NiftyFormerError:
        return {}
    latest = set(identities([read_list(index_list, as_of)]).values())
    return {rename.old: rename.first_session for rename in rename_table() if rename.old in latest}


def _traded_days(candles: Candles) -> np.ndarray:
    """The days on which the close moved: some sources repeat the last candle, or its close, on holidays."""
    return candles.dates[np.append(True, candles.close[1:] != candles.close[:-1])] if len(candles) else candles.dates
