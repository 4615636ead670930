"""Who was a member, as an experiment's scope asks it of the universe."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from niftyformer_assets.indices import DEFAULT
from niftyformer_assets.market.scope import membership_at


def members_on(universe: pd.DataFrame, day: date, index: str = DEFAULT) -> list[str]:
    """The members of an index on a date, sorted."""
    of_index = universe[universe["index"] == index]
    membership = membership_at(of_index, np.array([day], dtype="datetime64[D]"))
    return sorted(symbol for symbol, member in membership.items() if member.any())
