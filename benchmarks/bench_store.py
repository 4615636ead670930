"""What it costs to verify every file as it is read: `python benchmarks/bench_store.py`."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from niftyformer_assets.market.calendar import sessions
from niftyformer_assets.market.candle_files import PRICES, CandleFile, load_candles, write_candle_file
from niftyformer_assets.store.index import file_sha256
from niftyformer_assets.store.tables import read_parquet, write_parquet

STOCKS, FACTORS = 200, 158
DAYS = sessions(date(2021, 7, 1), date(2025, 6, 30))


def best_of(call: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several calls: what other work on the machine adds is not counted."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)


def candles(seed: int) -> CandleFile:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, len(DAYS))))
    prices = dict.fromkeys(PRICES, close)
    frame = pd.DataFrame({"date": DAYS.astype("datetime64[ms]"), **prices})
    return CandleFile(frame.assign(volume=1_000_000), date(2021, 7, 1), DAYS[-1].item(), DAYS[-1].item())


def main() -> None:
    content = os.urandom(1 << 27)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in ("sha256", "blake2b"):
        took = best_of(lambda name=name: hashlib.new(name, content).digest())  # type: ignore[misc]
        print(f"{name}: {len(content) / took / 1e6:.0f} MB/s")
    print("| what | MB | parsed alone, s | verified and parsed, s | hashing alone, s |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        paths = {f"S{number:03}": raw / f"S{number:03}.parquet" for number in range(STOCKS)}
        began = time.perf_counter()
        for seed, path in enumerate(paths.values()):
            write_candle_file(path, candles(seed))
        wrote = time.perf_counter() - began
        row(f"{STOCKS} files of candles", list(paths.values()), lambda: load_candles(paths))
        panel = Path(folder) / "alpha158.parquet"
        values = np.random.default_rng(0).normal(size=(len(DAYS) * STOCKS, FACTORS)).astype(np.float32)
        frame = pd.DataFrame(values, columns=[f"F{number}" for number in range(FACTORS)])
        began = time.perf_counter()
        write_parquet(panel, frame)
        wrote_panel = time.perf_counter() - began
        row("a panel of 158 factors", [panel], lambda: read_parquet(panel))
        row("30 factors of it", [panel], lambda: read_parquet(panel, list(frame)[:30]), list(frame)[:30])
    print(f"written and entered: {STOCKS} files of candles in {wrote:.2f} s, the panel in {wrote_panel:.2f} s")


def row(name: str, paths: list[Path], verified: Callable[[], object], columns: list[str] | None = None) -> None:
    size = sum(path.stat().st_size for path in paths) / 1e6
    alone = best_of(lambda: [pq.read_table(path, columns=columns).to_pandas() for path in paths])
    hashing = best_of(lambda: [file_sha256(path) for path in paths])
    print(f"| {name} | {size:.1f} | {alone:.3f} | {best_of(verified):.3f} | {hashing:.3f} |")


if __name__ == "__main__":
    main()
