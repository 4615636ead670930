"""The market that the simulated exchange serves in a workspace: made up, or a folder of candles."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from niftyformer_assets.settings import Settings
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError

if TYPE_CHECKING:
    from niftyformer_assets.exchange.market import Market


def forget_candles_of_another_market(settings: Settings, market: Market) -> bool:
    """Remove the raw candles of a workspace if they are of another market than the one served now.

    A replay of another folder would otherwise find candles up to date that are not its own. What
    was removed is fetched again; nothing of a live source is ever touched.

    Returns:
        Whether there was something to remove.
    """
    workspace = settings.workspace
    record, identity = workspace.root / "source.txt", _identity(settings, market)
    if record.is_file() and record.read_text(encoding="utf-8").strip() == identity:
        return False
    stale = list(workspace.raw.glob("*.parquet"))
    for path in stale:
        path.unlink()
    write_text(record, identity + "\n")
    return bool(stale)


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
    from niftyformer_assets.market.index_lists import renames

    if settings.replay is None:
        raise NiftyFormerError(
            f"workspace {settings.workspace.name} replays a folder of candles and none is named: "
            "set NIFTYFORMER_REPLAY (and NIFTYFORMER_INDEX_LIST), or give --replay and --index-list"
        )
    return load_folder(settings.replay, settings.index_list, renames())
