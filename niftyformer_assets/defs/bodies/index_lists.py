"""The index lists that an active workspace works with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.market.index_lists import IndexList, date_of, fetch_list, read_list, read_lists
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError

# The real list has 200 names; far fewer is an answer cut short.
LEAST_MEMBERS = {"zerodha": 180}


def require_list(settings: Settings) -> None:
    """Refuse a replay without a constituent list: industries and ISINs cannot be read off candles."""
    if settings.source == "replay" and settings.index_list is None:
        raise NiftyFormerError(
            "a replay needs the constituent list that goes with its candles: give NSE's file with --index-list, or "
            "set NIFTYFORMER_INDEX_LIST"
        )


def lists_at_hand(settings: Settings, source: CandleSource, warn: Callable[[str], None]) -> list[IndexList]:
    """Fetch the list in force, and return it with those kept before it, oldest first.

    A replay that names a list works with that one alone. Where NSE does not answer, the lists at
    hand stand, with a warning.

    Raises:
        NiftyFormerError: there is no list at all.
    """
    require_list(settings)
    kept = settings.workspace.index_lists
    try:
        with source.connect() as connection:
            today = _date_of_list(settings) or connection.now.date()
            least = LEAST_MEMBERS.get(settings.source, 1)
            fetched = fetch_list(kept, today, connection.index_list_root, least)
    except NiftyFormerError as error:
        lists = read_lists(settings.index_list_folders)
        if not lists or not settings.is_live:
            raise
        warn(f"{error} The lists up to {lists[-1].as_of} are used.")
        return lists
    if settings.index_list is not None:
        return [read_list(fetched)]
    return read_lists(settings.index_list_folders)


def _date_of_list(settings: Settings) -> date | None:
    if settings.index_list is None:
        return None
    try:
        return date_of(settings.index_list)
    except NiftyFormerError:
        return None  # a name without a date: the list counts as of the last candle
