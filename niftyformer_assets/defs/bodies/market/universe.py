"""Who is and was in the indices, as an asset."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.bodies.market.index_lists import lists_at_hand
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import picture
from niftyformer_assets.market.pictures import universe_picture
from niftyformer_assets.market.universe import build_universe, describe_reach, save_universe
from niftyformer_assets.settings import Settings


def make_universe(context: dg.AssetExecutionContext, settings: Settings, source: CandleSource) -> Made:
    """Put the lists at hand together."""
    at_hand = lists_at_hand(settings, source, context.log.warning)
    frame = build_universe(at_hand.lists, at_hand.sectors, at_hand.others)
    path = settings.workspace.universe
    save_universe(path, frame)
    members = frame[frame["member_from"].notna() & frame["member_to"].isna()]
    return Made(
        {
            "dagster/row_count": len(frame),
            "members_now": members["symbol"].nunique(),
            "symbols_ever": frame["symbol"].nunique(),
            "reach": describe_reach(frame),
            "sectors": picture(universe_picture(frame), "members by sector"),
        },
        settings={"lists": [kept.name for kept in at_hand.lists]},
        given=at_hand.files,
    )
