"""The market that the simulated exchange serves in a workspace: made up, or a folder of candles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError

if TYPE_CHECKING:
    from niftyformer_assets.exchange.market import Market


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
