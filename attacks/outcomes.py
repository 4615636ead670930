"""What came of attacks, counted; which outcomes are wrong is said where they are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from rich.console import Console
from rich.table import Table


class Outcome(Enum):
    """How an attack ended; the text is the table's heading, the flag whether it may be so."""

    SAME = "as without the attack", True
    LATER = "right from the next session on", True
    FEWER = "fewer candles while it lasted, then right", True
    REFUSED = "refused by name", True
    TOLD = "other values, and told", True
    SILENT = "SILENT CHANGE", False
    OTHER = "OTHER BYTES", False
    LOST = "VALUES LOST OR WRONG", False
    UNREADABLE = "UNREADABLE FILE", False
    UNNAMED = "REFUSED WITHOUT A NAME", False
    TRACEBACK = "TRACEBACK", False
    STUCK = "NOT MENDED BY RUNNING AGAIN", False
    UNKNOWN = "UNKNOWN ARTIFACT", False
    MISSED = "ATTACK WITHOUT EFFECT", False

    def __init__(self, words: str, right: bool) -> None:
        self.words = words
        self.right = right


@dataclass(frozen=True)
class Attack:
    """One attack: what it was on, what it was, how it ended, and what there is to say about it."""

    on: str
    kind: str
    outcome: Outcome
    said: str = ""


def show(console: Console, title: str, attacks: Iterable[Attack]) -> None:
    """A table of counted outcomes, then every wrong one."""
    attacks = list(attacks)
    counts: Mapping[tuple[str, str], Counter] = {}
    counts = {(attack.on, attack.kind): Counter() for attack in attacks}
    for attack in attacks:
        counts[attack.on, attack.kind][attack.outcome] += 1
    seen = [outcome for outcome in Outcome if any(outcome in counter for counter in counts.values())]
    table = Table(title=title, title_justify="left")
    for name in ("on", "attack", "times"):
        table.add_column(name, overflow="fold")
    for outcome in seen:
        table.add_column(outcome.words, style=None if outcome.right else "red", justify="right")
    for (on, kind), counter in counts.items():
        table.add_row(on, kind, str(counter.total()), *(str(counter[outcome] or "") for outcome in seen))
    total = Counter(attack.outcome for attack in attacks)
    table.add_section()
    table.add_row("all", "", str(len(attacks)), *(str(total[outcome]) for outcome in seen))
    console.print(table)
    for attack in wrong(attacks):
        console.print(
            f"{attack.outcome.words}: {attack.on}, {attack.kind}: {attack.said}", markup=False, soft_wrap=True
        )


def wrong(attacks: Iterable[Attack]) -> list[Attack]:
    """Those that ended as none may."""
    return [attack for attack in attacks if not attack.outcome.right]
