"""What fetching, judging and aligning candles costs: `python benchmarks/bench_market.py [--quick]`.

The exchange runs in a process of its own, at Kite's limit of 3 requests a second; `--quick` fetches
30 symbols instead of 200.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from rich.console import Console
from rich.table import Table

from niftyformer_assets.market.asking import IngestSettings
from niftyformer_assets.market.calendar import IST, sessions
from niftyformer_assets.market.candle_files import load_candles
from niftyformer_assets.market.cleaning import clean
from niftyformer_assets.market.ingest import Failed, ingest
from niftyformer_assets.market.kite import KiteSession
from niftyformer_assets.market.panel import build_panel, load_panel, save_panel
from niftyformer_assets.market.quality import assess
from niftyformer_assets.market.rate_limit import Pacer
from niftyformer_assets.market.size_proxy import size_proxy
from niftyformer_assets.store.workspace import Workspace

FIRST, LAST = date(2022, 1, 3), date(2024, 8, 30)
KITE_PER_SECOND = 3
EVENING = datetime(2024, 8, 29, 18, tzinfo=IST)
NEXT_EVENING = datetime(2024, 8, 30, 18, tzinfo=IST)
OPENER = build_opener(ProxyHandler({}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30 symbols instead of 200")
    symbols = 30 if parser.parse_args().quick else 200
    table = Table(title=f"market, {symbols} symbols × {len(sessions(FIRST, LAST))} sessions")
    for column in ("what", "measured", "limit", "ratio"):
        table.add_column(column, justify="left" if column == "what" else "right")
    with tempfile.TemporaryDirectory() as folder, exchange(symbols) as (root, key, token, names):
        workspace = Workspace(Path(folder), "bench")
        settings = IngestSettings(history_start=FIRST)
        fetching(table, workspace, settings, root, key, token, names)
        judging(table, workspace, names)
    importing(table)
    Console().print(table)


def fetching(
    table: Table, workspace: Workspace, settings: IngestSettings, root: str, key: str, token: str, names: list[str]
) -> None:
    """A first fetch at Kite's limit, a rerun, and a refresh a session later."""

    def run(now: datetime, settings: IngestSettings) -> tuple[float, dict[str, int]]:
        pacer = Pacer(workspace.data / "pace", settings.requests_per_second)
        before = traffic(root)
        session = KiteSession(key, token, root=root)
        began = time.perf_counter()
        outcomes = list(ingest(names, workspace, lambda: session, pacer, settings, now))
        took = time.perf_counter() - began
        failed = [outcome.symbol for outcome in outcomes if isinstance(outcome, Failed)]
        assert not failed, failed
        after = traffic(root)
        return took, {name: after[name] - before[name] for name in after}

    floor = len(names) / KITE_PER_SECOND
    took, counts = run(EVENING, settings)
    table.add_row("first fetch, s (limit 1.05 × floor)", f"{took:.1f}", f"{1.05 * floor:.1f}", f"{took / floor:.3f}")
    table.add_row("  429s caused by ourselves", str(counts["over_limit"]), "0", "")
    table.add_row("  peak memory of the process, MB", f"{peak_mb():.0f}", "400", f"{peak_mb() / 400:.2f}")
    took, counts = run(EVENING, settings)
    table.add_row("rerun on the same day, requests", str(counts["requests"]), "0", f"{took:.2f} s")
    took, counts = run(NEXT_EVENING, settings)
    most = len(names) + 1
    table.add_row("refresh a session later, requests", str(counts["requests"]), str(most), f"{took / floor:.3f}")
    table.add_row("  429s caused by ourselves", str(counts["over_limit"]), "0", "")


def judging(table: Table, workspace: Workspace, names: list[str]) -> None:
    """From raw files to panel and size proxy."""
    paths = {name: workspace.candles(name) for name in names}
    candles, _ = load_candles(paths)
    calendar = sessions(FIRST, LAST)
    market = clean(candles, calendar)
    panel = build_panel(market)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("read raw files", lambda: load_candles(paths)),
        ("clean", lambda: clean(candles, calendar)),
        ("assess", lambda: assess(market, {})),
        ("save panel", lambda: save_panel(workspace.market_panel, panel)),
        ("load panel", lambda: load_panel(workspace.market_panel)),
        ("size proxy", lambda: size_proxy(panel)),
    ]
    for name, step in steps:
        table.add_row(f"{name}, s", f"{median_of(step):.3f}", "", "")


def importing(table: Table) -> None:
    """What the definitions pay for knowing their symbols, beside `import dagster`."""
    base = median_of(lambda: python("import dagster"), 3)
    own = median_of(lambda: python("import niftyformer_assets.market.index_lists"), 3)
    table.add_row("import of index_lists, s (against dagster)", f"{own:.2f}", f"{base:.2f}", f"{own / base:.2f}")


def python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def median_of(step: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        step()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def traffic(root: str) -> dict[str, int]:
    with OPENER.open(f"{root}/traffic", timeout=10) as answer:
        data = json.load(answer)["data"]
    asked = sum(count for path, count in data["by_path"].items() if path != "/traffic")
    return {"requests": asked, "over_limit": data["over_limit"]}


@contextmanager
def exchange(stocks: int) -> Iterator[tuple[str, str, str, list[str]]]:
    """A made-up market served by another process: root, API key, access token, symbols."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(stocks, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        process.join()


def serve(stocks: int, connection: Connection) -> None:
    from niftyformer_assets.exchange.made_up import make_market
    from niftyformer_assets.exchange.server import run_exchange
    from niftyformer_assets.exchange.settings import MadeUpSettings, made_up_symbols

    settings = replace(MadeUpSettings(), stocks=stocks)
    with run_exchange(make_market(sessions(FIRST, LAST), settings)) as running:
        connection.send((running.url, running.api_key, running.access_token(), made_up_symbols(settings)))
        connection.recv()


if __name__ == "__main__":
    main()
