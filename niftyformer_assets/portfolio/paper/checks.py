"""Whether a ledger is what it was at every materialization before, and what it followed too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from niftyformer_assets.finding import Finding
from niftyformer_assets.portfolio.paper.account import account_of
from niftyformer_assets.portfolio.paper.ledger import Head, must_hold, read_ledger
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import file_sha256
from niftyformer_assets.words import counted

# Their signal may have been given anew after them, with the morning's candles.
_BEFORE_TRADING = ("opening", "rules")


def as_it_was(path: Path, heads: Sequence[tuple[Head, str]], signal: Callable[[str], Path]) -> Finding:
    """The chain holds, with the heads that were kept elsewhere, and each signal is the one that was followed.

    Args:
        heads: each with where it is from, in words.
        signal: where the signal of a session lies.
    """
    try:
        ledger = read_ledger(path)
        must_hold(ledger, heads)
        account_of(ledger)
    except NiftyFormerError as error:
        return Finding(False, str(error), defect=True)
    followed = {
        row["decided"]: row["signal"] for row in ledger.rows if row["signal"] and row["kind"] not in _BEFORE_TRADING
    }
    there = {day: file_sha256(signal(day)) for day in followed if signal(day).is_file()}
    figures = {"rows": len(ledger.rows), "heads": len(heads), "signals": len(there), "gone": len(followed) - len(there)}
    if changed := [day for day in sorted(there) if there[day] != followed[day]]:
        return Finding(
            False,
            f"{signal(changed[0])} is not the signal that the ledger followed, and {len(changed) - 1} more: restore "
            "them from a copy",
            figures,
            defect=True,
        )
    gone = f"; {counted(figures['gone'], 'signal')} of them are not there any more" if figures["gone"] else ""
    return Finding(
        True,
        f"{counted(len(ledger.rows), 'row')} fit, with {counted(len(heads), 'head')} of earlier materializations and "
        f"{counted(len(followed), 'signal')} that were followed{gone}.",
        figures,
    )
