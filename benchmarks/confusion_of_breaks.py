"""What the rule for breaks makes of real corporate actions and real overnight gaps.

Needs a folder with NSE's unadjusted candles and what is known of them: `actions.csv`,
`genuine_gaps.csv`, `raw_candles_*.parquet`. Prints the table of docs/corporate_actions.md.

    .venv/bin/python benchmarks/confusion_of_breaks.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.cleaning import CleanMarket, clean
from niftyformer_assets.market.corporate_actions import NONE, CorporateActions, read_corporate_actions

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "market_data" / "corporate_actions"
HEADER = (
    "SYMBOL,COMPANY NAME,SERIES,PURPOSE,FACE VALUE,EX-DATE,RECORD DATE,BOOK CLOSURE START DATE,BOOK CLOSURE END DATE"
)
# Kinds of actions by what `actions.csv` calls them, the smallest change first; the rest halves the price or more.
KINDS = {
    "other 0.8-0.96": "rights, demergers of 4% to 20%",
    "1:10 bonus": "1:10 bonus (0.91)",
    "1:5 bonus": "1:5 bonus (0.83)",
    "1:4 bonus": "1:4 bonus (0.80)",
    "1:3 bonus": "1:3 bonus (0.75)",
    "other 0.65-0.8": "rights, demergers of 20% to 35%",
    "1:2 bonus": "1:2 bonus (0.67)",
}
REST = "splits, bonus of 2:3 and more, large demergers (0.62 and below)"


def read(folder: Path) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    """Candles by symbol, the corporate actions and the genuine gaps in them."""
    (path,) = sorted(folder.glob("raw_candles_*.parquet"))
    raw = pd.read_parquet(path)
    raw["date"] = pd.to_datetime(raw["date"]).astype("datetime64[ms]")
    names = ["date", "open", "high", "low", "close", "volume"]
    candles = {str(symbol): rows[names].reset_index(drop=True) for symbol, rows in raw.groupby("symbol")}
    known = (pd.read_csv(folder / name, parse_dates=["date"]) for name in ("actions.csv", "genuine_gaps.csv"))
    return candles, *known


def list_of(actions: pd.DataFrame) -> CorporateActions:
    """The actions as NSE's list has them: a split by its ratio, what is none as a demerger."""
    lines = [HEADER]
    for symbol, day, factor, what in actions[["symbol", "date", "factor", "what"]].itertuples(index=False):
        share = f"Face Value Split (Sub-Division) - From Rs 1000/- Per Share To Rs {1000 * factor:.2f}/- Per Share"
        purpose = "Demerger" if what.startswith("other") else share
        lines.append(f"{symbol},{symbol} LIMITED,EQ,{purpose},10,{day:%d-%b-%Y},-,-,-")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "CF-CA-equities.csv").write_text("\n".join(lines), encoding="utf-8")
        return read_corporate_actions(Path(folder))


def outcomes(market: CleanMarket, known: pd.DataFrame) -> pd.Series:
    """What became of each known gap: quarantined, suspected or kept."""
    found = {
        outcome: set(zip(rows["symbol"], rows["session"], strict=True))
        for outcome, rows in (("suspected", market.suspects), ("quarantined", market.quarantine))
    }
    cells = zip(known["symbol"], known["date"], strict=True)
    names = [next((name for name in ("quarantined", "suspected") if cell in found[name]), "kept") for cell in cells]
    return pd.Series(names, index=known.index)


def confusion(
    candles: dict[str, pd.DataFrame], actions: pd.DataFrame, gaps: pd.DataFrame, listed: CorporateActions
) -> pd.DataFrame:
    """Rows: kinds of actions, and genuine gaps. Columns: how many there are, and what became of them."""
    days = pd.concat([frame["date"] for frame in candles.values()])
    market = clean(candles, sessions(days.min().date(), days.max().date()), actions=listed)
    of_actions, of_gaps = outcomes(market, actions), outcomes(market, gaps)
    kind = actions["what"].map(KINDS).fillna(REST)
    rows = {name: of_actions[kind == name] for name in (*KINDS.values(), REST)}
    rows["genuine gaps beyond 15%"] = of_gaps
    names = ("quarantined", "suspected", "kept")
    return pd.DataFrame(
        [(len(of), *(int((of == name).sum()) for name in names)) for of in rows.values()],
        index=list(rows),
        columns=["there are", *names],
    )


def main() -> None:
    """Print both tables as Markdown."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    candles, actions, gaps = read(folder)
    for title, listed in (("Prices alone", NONE), ("With NSE's list of these actions", list_of(actions))):
        table = confusion(candles, actions, gaps, listed)
        print(f"\n{title}\n\n| | {' | '.join(table.columns)} |\n|---|{'---:|' * len(table.columns)}")
        for name, counts in table.iterrows():
            print(f"| {name} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    main()
