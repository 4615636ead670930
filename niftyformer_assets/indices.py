"""NSE's indices whose members an experiment may take: a row each, and nothing else says what there is of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class Index:
    """One index.

    name: in settings. title: as people write it. members: how many NSE keeps in it, but for days around a demerger.
    list_stem: how the file of its constituents is called at NSE, without `.csv`.
    """

    name: str
    title: str
    members: int
    list_stem: str

    @property
    def fewest(self) -> int:
        """How many a whole list of it has at least."""
        return less_a_few(self.members)

    @property
    def list_file(self) -> str:
        """The file in which NSE publishes its constituents."""
        return f"{self.list_stem}.csv"

    @property
    def route(self) -> str:
        """Where, below the root of niftyindices.com."""
        return f"/IndexConstituent/{self.list_file}"

    def dated(self, day: object) -> str:
        """The file name of the list of one date."""
        return f"{self.list_stem}_{day}.csv"


def less_a_few(members: int) -> int:
    """How many names are left around a demerger, when one or a few may lack."""
    return members - max(1, members // 50)


_ROWS = (
    Index("nifty50", "NIFTY-50", 50, "ind_nifty50list"),
    Index("nifty200", "NIFTY-200", 200, "ind_nifty200list"),
    Index("nifty500", "NIFTY-500", 500, "ind_nifty500list"),
)
INDICES: dict[str, Index] = {row.name: row for row in _ROWS}
DEFAULT = "nifty200"
if TYPE_CHECKING:
    IndexName = str
else:
    IndexName = Literal[tuple(INDICES)]


def index_of_list(file: str) -> Index | None:
    """The index that a file of constituents is of by its name, dated or as NSE calls it; None where it tells none."""
    return next((row for row in _ROWS if re.fullmatch(rf"{row.list_stem}(_.*)?\.csv", file)), None)


def indices_named_in(text: str) -> list[Index]:
    """The indices whose names stand in a text; `nifty50` does not stand in `nifty500`."""
    return [row for row in _ROWS if re.search(rf"(?<![a-z0-9]){row.name}(?!\d)", text.lower())]
