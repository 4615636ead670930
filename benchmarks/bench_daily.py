"""From a new session's panel to the page of orders: seconds and peak memory.

Run: python benchmarks/bench_daily.py, or with --stocks 500, or --model stockformer, which is first trained for an epoch
on the CPU, and takes long. Everything is made of a made-up market up to a session. Then one more comes, and what
follows it by itself is run as the sensors run it: the job `panels`, then the job `signal` to the orders for a CSV of
holdings. Each job is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAST, NEXT = date(2024, 8, 29), date(2024, 8, 30)
# Of what is asked for: seconds by the number of stocks, and MB.
LIMITS, MOST_MB = {200: 15, 500: 60}, 2000
EXPERIMENT = """\
market: simulated
sessions:
  train: {{start: 2022-01-01, end: 2023-12-31}}
  validation: {{start: 2024-01-01, end: 2024-03-31}}
  test: {{start: 2024-04-01, end: 2024-07-31}}
factors: {{ic_threshold: 0.03}}
model: {{name: {model}}}
training: {{max_epochs: 1}}
baselines: {{names: [ridge, reversal, equal_weight]}}
"""


def main() -> None:
    """Make everything up to the day before, let the day come, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stocks", type=int, default=200)
    parser.add_argument("--model", choices=("ridge", "stockformer"), default="ridge")
    asked = parser.parse_args()
    print(f"{asked.stocks} stocks, {asked.model}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments").mkdir()
        (folder / "experiments" / "daily.yaml").write_text(EXPERIMENT.format(model=asked.model))
        (folder / "held.csv").write_text("symbol,quantity,average_price\n")
        for job in ("reference", "candles", "panels", "experiment"):
            of(folder, job, LAST, asked.stocks)
        of(folder, "candles", NEXT, asked.stocks)
        print(f"{'':10}{'seconds':>10}{'of them CPU':>14}{'whole process':>15}{'peak MB':>10}")
        for job in ("panels", "signal"):
            took = of(folder, job, NEXT, asked.stocks)
            print(f"{job:10}{took['seconds']:10.1f}{took['cpu']:14.1f}{took['process']:15.1f}{took['peak_mb']:10.0f}")
            for step, seconds in took["steps"].items():
                print(f"  {step:24}{seconds:6.1f}")
        limit = LIMITS.get(asked.stocks)
        print(f"signal: at most {limit or '-'} s, {MOST_MB} MB; load {os.getloadavg()[0]:.1f}")


def of(folder: Path, job: str, last: date, stocks: int) -> dict:
    """One job in a process of its own."""
    began = time.perf_counter()
    words = [sys.executable, "-W", "ignore", __file__, "--run", job, str(folder), last.isoformat(), str(stocks)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-4000:])
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "process": time.perf_counter() - began}


def run(job: str, folder: Path, last: date, stocks: int) -> None:
    """One measurement, printed as JSON."""
    import resource

    from niftyformer_assets.defs import build
    from niftyformer_assets.defs.run import QUIET, dagster_home
    from niftyformer_assets.exchange.settings import MadeUpSettings
    from niftyformer_assets.portfolio.orders.settings import OrderSettings
    from niftyformer_assets.settings import read_settings

    settings = read_settings(
        _env_file=None,
        workspace_name="demo",
        data=folder / "data",
        storage=folder / "storage",
        experiments=folder / "experiments",
        made_up=MadeUpSettings(stocks=stocks),
        made_up_end=last,
        signal_experiment="daily",
        orders=OrderSettings(holdings=str(folder / "held.csv"), cash=1_000_000.0),
    )
    definition, tags = build(settings).resolve_job_def(job), {}
    if job == "candles":
        assert definition.partitions_def is not None
        keys = definition.partitions_def.get_partition_keys()
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    partition = "daily" if job in ("experiment", "signal") else None
    with dagster_home(settings) as instance:
        began, busy = time.perf_counter(), time.process_time()
        result = definition.execute_in_process(
            instance=instance, tags=tags, partition_key=partition, run_config=QUIET, raise_on_error=True
        )
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    steps = {
        event.step_key: event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success
    }
    if job == "signal":
        assert settings.workspace.orders_page(last.isoformat()).is_file()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "steps": steps, "peak_mb": peak}))


if __name__ == "__main__":
    if "--run" in sys.argv:
        job, folder, last, stocks = sys.argv[2:]
        run(job, Path(folder), date.fromisoformat(last), int(stocks))
    else:
        main()
