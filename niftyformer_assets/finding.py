"""What a look at an artifact finds: the one type that checks of every package return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Finding:
    """Whether something is as it should be, and what was seen.

    sentence: for a person.
    figures: behind it, by name.
    tables: of what was found, by name; without rows where there is nothing.
    defect: what did not pass is an error and not only worth knowing.
    """

    passed: bool
    sentence: str
    figures: Mapping[str, float | str] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    defect: bool = False
