"""Alpha158 side by side with KunQuant and Qlib on the same candles; neutralisation, IC, files, memory, compilation.

    python benchmarks/bench_factors.py [--quick | --wide]

The other two are installed from their packages into environments of their own under
`~/.cache/niftyformer-bench` (or BENCH_CACHE). The small panel is the real one from
../shared/market_data where that is present, else made up; the large one is made up.
`--quick` leaves out Qlib on the large panel, which takes minutes; `--wide` measures `alpha158_nse93` alone.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.factors.catalogue import ALPHA158
from niftyformer_assets.factors.ic import daily_ic
from niftyformer_assets.factors.labels import RETURN, Labels, Outcomes, session_labels
from niftyformer_assets.factors.neutralize import neutralize
from niftyformer_assets.factors.panel_file import update_factor_panel, write_factor_panel
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.factors.returns import daily_returns
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.market.size_proxy import size_proxy
from niftyformer_assets.store.arrays import Axes

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("BENCH_CACHE") or Path("~/.cache/niftyformer-bench").expanduser())
CANDLES = HERE.parents[1] / "shared" / "market_data" / "kite_daily_2022_2024"
FIELDS = ("open", "high", "low", "close", "volume")
REPETITIONS = 9
MEMORY = r"""
import re, sys
from pathlib import Path
import numpy as np
from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.factors.history import cut_sessions
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.store.arrays import Axes
file = dict(np.load(sys.argv[1]))
axes = Axes(file.pop("dates"), [str(n) for n in range(file["close"].shape[1])])
panel = Panel(axes, **file)
alpha158(cut_sessions(panel, 0, 2), threads=int(sys.argv[2]))
peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
result = alpha158(panel, threads=int(sys.argv[2]))
print((peak() - before) / result.nbytes)
"""
WIDE = r"""
import re, sys, time
from pathlib import Path
import numpy as np
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.store.arrays import Axes
file = dict(np.load(sys.argv[1]))
axes = Axes(file.pop("dates"), [str(n) for n in range(file["close"].shape[1])])
panel, chosen = Panel(axes, **file), FACTOR_SETS["alpha158_nse93"]
def timed(since):
    started = time.perf_counter()
    chosen.compute(panel, since, 2)
    return time.perf_counter() - started
timed(0)
last = len(axes.dates) - 1
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
print(*(sorted(timed(since) for _ in range(5))[2] for since in (0, last)), peak)
"""
START = """
import time
started = time.perf_counter()
import numpy as np
from niftyformer_assets.factors.alpha158 import alpha158
from niftyformer_assets.market.panel import Panel
from niftyformer_assets.store.arrays import Axes
x = np.ones((3, 2))
axes = Axes(np.datetime64("2024-01-01") + np.arange(3), ("A", "B"))
alpha158(Panel(axes, x, x, x, x, x, np.zeros((3, 2), np.int32)))
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Case:
    name: str
    panel: Panel
    path: Path


def real_panel() -> Panel | None:
    """The candles of 191 symbols over 660 sessions, if they are here."""
    if not CANDLES.is_dir():
        return None
    frames = [pd.read_csv(file).assign(symbol=file.stem) for file in sorted(CANDLES.glob("*.csv"))]
    candles = pd.concat(frames).rename(columns=str.lower)
    wide = {name: candles.pivot_table(index="date", columns="symbol", values=name) for name in FIELDS}
    close = wide["close"]
    segment = np.where(close.notna().cummax().to_numpy(), 0, -1).astype(np.int32)
    axes = Axes(close.index.to_numpy(dtype="datetime64[D]"), tuple(close.columns))
    return Panel(axes, **{name: frame.to_numpy(dtype=float) for name, frame in wide.items()}, segment=segment)


def made_up_panel(sessions: int, symbols: int) -> Panel:
    """Random walks; one stock in twenty lists late."""
    random = np.random.default_rng(0)
    shape = sessions, symbols
    close = np.round(500 * np.exp(np.cumsum(random.normal(0, 0.015, shape), axis=0)), 2)
    open_ = np.round(close * np.exp(random.normal(0, 0.005, shape)), 2)
    arrays = {
        "open": open_,
        "high": np.round(np.maximum(open_, close) * np.exp(np.abs(random.normal(0, 0.005, shape))), 2),
        "low": np.round(np.minimum(open_, close) * np.exp(-np.abs(random.normal(0, 0.005, shape))), 2),
        "close": close,
        "volume": np.round(np.exp(random.normal(13, 1, shape))),
    }
    segment = np.zeros(shape, dtype=np.int32)
    for column in range(0, symbols, 20):
        segment[: sessions // 2, column] = -1
    for values in arrays.values():
        values[segment < 0] = np.nan
    axes = Axes(np.datetime64("2015-01-01") + np.arange(sessions), tuple(f"S{n:04d}" for n in range(symbols)))
    return Panel(axes, **arrays, segment=segment)


def seconds(work: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Median of the repetitions, after one that does not count."""
    work()
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def environment(package: str) -> Path:
    """The interpreter of an environment that holds the package, made if it is not there."""
    folder = CACHE / package.lower()
    python = folder / "bin" / "python"
    if not (folder / "installed").is_file():
        print(f"installing {package} into {folder} …", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "-qq", "install", package], check=True)
        (folder / "installed").write_text("")
    return python


def other(package: str, script: str, path: Path, threads: int, repetitions: int) -> tuple[float, str]:
    """Median seconds of another implementation, and its version; NaN and the reason where it does not run."""
    command = [str(HERE / script), str(path), str(threads), str(repetitions)]
    try:
        done = subprocess.run(
            [environment(package), *command], capture_output=True, text=True, check=True, timeout=3600
        )
    except subprocess.CalledProcessError as error:
        reason = str(error.stderr or error).strip().splitlines()
        return float("nan"), f"does not run here: {reason[-1] if reason else error}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return float("nan"), f"does not run here: {error}"
    answer = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(answer["seconds"]), f"{package} {answer['version']}, {answer['factors']} factors"


def in_a_new_process(code: str, *arguments: str, **variables: str) -> list[float]:
    """The numbers of the last line that the code prints."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=HERE.parent, env={**os.environ, **variables}
    )
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def compare(case: Case, threads: int, quick: bool) -> None:
    """One row for each implementation; ours is timed just before and after each, so that both meet the same load."""
    panel = case.panel

    def ours() -> float:
        return seconds(lambda: alpha158(panel, threads=threads))

    def only_write() -> np.ndarray:
        result = np.empty((len(ALPHA158), *panel.axes.shape), dtype=np.float32)
        result[:] = 1.0
        return result

    large = panel.close.size > 500_000
    others: list[tuple[str, Callable[[], tuple[float, str]]]] = [
        ("only writing the result", lambda: (seconds(only_write), "one thread")),
        ("KunQuant", lambda: other("KunQuant", "factors_with_kunquant.py", case.path, threads, REPETITIONS)),
    ]
    if not (quick and large):
        qlib = (case.path, threads, 1 if large else 3)
        others.append(("Qlib", lambda: other("pyqlib", "factors_with_qlib.py", *qlib)))
    before = ours()
    for name, measure in others:
        theirs, note = measure()
        after = ours()
        beside = (before + after) / 2
        row = f"{name} | {theirs * 1e3:,.0f} ms | {beside * 1e3:,.0f} ms | {theirs / beside:.2f} × | {note} |"
        print(f"| {case.name} | {threads} | {row}", flush=True)
        before = after


def agreement(case: Case) -> None:
    """How far Qlib's values, which are single precision, are from ours."""
    saved = case.path.with_suffix(".qlib.npy")
    command = [str(HERE / "factors_with_qlib.py"), str(case.path), "2", "1", str(saved)]
    try:
        subprocess.run([environment("pyqlib"), *command], capture_output=True, check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"Qlib's values, {case.name}: not compared, Qlib does not run here: {error}")
        return
    theirs, ours = np.load(saved), alpha158(case.panel, dtype=np.float64)
    differing = int((np.isnan(theirs) != np.isnan(ours)).sum())
    off = np.nanmax(np.abs(theirs - ours), axis=(1, 2)) / np.nanstd(ours, axis=(1, 2))
    worst = int(off.argmax())
    print(
        f"Qlib's values, {case.name}: {differing} of {ours.size:,} are missing in one only; "
        f"the farthest is {off[worst]:.2g} standard deviations off ({ALPHA158[worst]}), the median factor's "
        f"{np.median(off):.2g}"
    )


def rest_of_the_step(panel: Panel) -> None:
    """Neutralisation, IC and files, on the small panel."""
    factors = alpha158(panel)
    returns, size = daily_returns(panel.close, panel.segment), size_proxy(panel)
    sectors = [f"sector {place % 20}" for place in range(panel.axes.shape[1])]
    settings = FactorSettings()
    neutralise = seconds(lambda: neutralize(factors, size, sectors, settings), 3)
    coefficients = seconds(
        lambda: daily_ic(factors, ALPHA158, Labels.of(session_labels(RETURN, (1, 2)), Outcomes(returns))), 3
    )
    print(f"neutralise 158 factors: {neutralise:.2f} s; IC and rank IC at 2 horizons: {coefficients:.2f} s; ", end="")
    print(f"together {neutralise + coefficients:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        path, chosen = Path(folder) / "alpha158.parquet", FACTOR_SETS["alpha158"]
        written = seconds(lambda: write_factor_panel(path, factors, chosen, panel), 3)
        raw = seconds(lambda: (Path(folder) / "raw").write_bytes(factors.tobytes()), 3)
        done = seconds(lambda: update_factor_panel(path, "alpha158", panel), 3)
        print(
            f"alpha158.parquet: write {written:.2f} s, {path.stat().st_size / 1e6:.0f} MB (the bare bytes {raw:.2f} s)"
        )
        print(f"nothing new to compute, file read and checked: {done:.2f} s")
    last = len(panel.axes.dates) - 1
    print(f"one new session: {seconds(lambda: alpha158(panel, since=last)) * 1e3:.1f} ms")


def weekdays(panel: Panel) -> Panel:
    """The same candles on Mondays to Fridays, by which seasons and refits go."""
    dates = np.busday_offset("2010-01-04", np.arange(len(panel.axes.dates)))
    return replace(panel, axes=Axes(dates, panel.axes.symbols))


def wide(folder: Path) -> None:
    """The 251 factors of `alpha158_nse93` in a process of their own, compiled before: all sessions, and a new one."""
    panel, path = weekdays(made_up_panel(3300, 200)), folder / "wide.npz"
    arrays = {field: getattr(panel, field) for field in (*FIELDS, "segment")}
    np.savez(path, **arrays, dates=panel.axes.dates)
    in_a_new_process(WIDE, str(path))
    every, new, peak = in_a_new_process(WIDE, str(path))
    print(f"251 factors, 3300 × 200 made up, 2 threads: {every:.1f} s, one new session {new:.2f} s; ", end="")
    print(f"peak memory of the process {peak / 1e9:.2f} GB")


def main() -> None:
    quick = "--quick" in sys.argv
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if "--wide" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            wide(Path(folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        small = real_panel()
        cases = []
        for name, panel in (
            ("660 × 191 real" if small else "660 × 191 made up", small or made_up_panel(660, 191)),
            ("2200 × 500 made up", made_up_panel(2200, 500)),
        ):
            path = Path(folder) / f"{len(cases)}.npz"
            arrays = {field: getattr(panel, field) for field in (*FIELDS, "segment")}
            np.savez(path, **arrays, dates=panel.axes.dates)
            cases.append(Case(name, panel, path))
        (first,) = in_a_new_process(START, NUMBA_CACHE_DIR=folder)
        (again,) = in_a_new_process(START, NUMBA_CACHE_DIR=folder)
        print(f"first compilation ever {first:.1f} s, start from the cache {again:.1f} s (imports included)")
        print("| panel | threads | implementation | median | ours beside it | theirs / ours | |")
        print("|---|---:|---|---:|---:|---:|---|")
        for case in cases:
            for threads in (1, 2):
                compare(case, threads, quick)
        for case in cases:
            for threads in (1, 2):
                (share,) = in_a_new_process(MEMORY, str(case.path), str(threads))
                print(f"peak memory, {case.name}, {threads} threads: {share:.2f} × the result")
        agreement(cases[0])
        rest_of_the_step(cases[0].panel)
        wide(Path(folder))


if __name__ == "__main__":
    main()
