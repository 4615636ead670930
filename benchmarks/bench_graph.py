"""The whole graph: loading the definitions, ingesting at Kite's pace, and what lies between candles and training.

Run `python benchmarks/bench_graph.py`. Real candles are used where ../shared/market_data is there,
a made-up market of the same size otherwise. Each measurement is a process of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CANDLES = ROOT.parent / "shared" / "market_data" / "kite_daily_2022_2024"
INDEX_LIST = ROOT.parent / "shared" / "market_data" / "index_lists" / "ind_nifty200list_2025-10-02.csv"
SYMBOLS, REQUESTS_PER_SECOND = 191, 3
BETWEEN = (
    *("data_quality_report", "market_panel", "size_proxy", "returns", "alpha158_panel"),
    *("ic_summary", "neutralized_factors", "flow", "trend_indicator", "corr_adj", "graph_embeddings"),
)


def main() -> None:
    """Print the three tables."""
    load_definitions()
    with tempfile.TemporaryDirectory() as folder:
        ingest_and_panels(Path(folder))


def load_definitions(runs: int = 5) -> None:
    """How long the definitions take to load, against `import dagster` alone."""
    codes = {"import dagster": "import dagster", "load the definitions": "import niftyformer_assets.definitions"}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(runs + 1):
        for name, code in codes.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=ROOT)
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    print(f"\n## Definitions (median of {runs}, whole processes)\n")
    for name, value in medians.items():
        print(f"{name:24} {value:6.2f} s")
    ratios = [b / a for a, b in zip(*(values[1:] for values in seconds.values()), strict=True)]
    print(f"{'ratio, pair by pair':24} {statistics.median(ratios):6.2f}   (at most 2)")


def ingest_and_panels(folder: Path) -> None:
    """The ingest against the floor of the rate limit, then everything up to the training."""
    real = CANDLES.is_dir() and INDEX_LIST.is_file()
    print(f"\n## {'Real candles, replayed' if real else 'A made-up market of the same size'}\n")
    for jobs in (["reference"], ["candles"], ["between"]):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--run", *jobs, str(folder)],
            check=True,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        figures = json.loads(done.stdout.strip().splitlines()[-1])
        if jobs == ["candles"]:
            floor = figures["requested"] / REQUESTS_PER_SECOND
            print(f"ingest of {figures['requested']} listed symbols ({figures['keys']} keys)")
            print(f"{'first request, last event':24} {figures['seconds']:6.1f} s")
            print(f"{'the whole run':24} {figures['whole_run']:6.1f} s")
            print(f"{'floor of the limit':24} {floor:6.1f} s")
            print(f"{'ratio':24} {figures['seconds'] / floor:6.3f}   (at most 1.15, and 1.05 for 200 symbols)")
            print(f"{'of the whole run':24} {figures['whole_run'] / floor:6.3f}")
            print(
                f"{'peak memory':24} {figures['peak_mb']:6.0f} MB  (at most 400, the exchange's own candles included)"
            )
        elif jobs == ["between"]:
            print("\nbetween raw_ohlcv and trained_model")
            for name, value in figures["steps"].items():
                print(f"  {name:22} {value:6.2f} s")
            print(f"{'together':24} {figures['seconds']:6.1f} s   (at most 60)")
            print(f"{'peak memory':24} {figures['peak_mb']:6.0f} MB  (at most 2000)")


def run(job: str, folder: Path) -> None:
    """One measurement, printed as JSON."""
    import resource

    from niftyformer_assets.defs import build
    from niftyformer_assets.defs.home import dagster_home
    from niftyformer_assets.defs.run import QUIET
    from niftyformer_assets.exchange.settings import MadeUpSettings
    from niftyformer_assets.settings import read_settings

    experiments = folder / "experiments"
    experiments.mkdir(exist_ok=True)
    real = CANDLES.is_dir() and INDEX_LIST.is_file()
    text = (ROOT / "data" / "experiments" / "mvp.yaml").read_text(encoding="utf-8")
    (experiments / "mvp.yaml").write_text(text if real else text.replace("market: real", "market: simulated"))
    given = (
        {"replay": CANDLES, "index_list": INDEX_LIST}
        if real
        else {
            "workspace_name": "demo",
            "made_up": MadeUpSettings(stocks=SYMBOLS),
            "made_up_end": date(2024, 8, 30),
        }
    )
    settings = read_settings(
        _env_file=None, data=folder / "data", storage=folder / "storage", experiments=experiments, **given
    )
    definitions = build(settings)
    with dagster_home(settings) as instance:
        began = time.perf_counter()
        if job == "between":
            steps: dict[str, float] = {}
            for name, keys in (("panels", BETWEEN[:6]), ("experiment", BETWEEN[6:])):
                result = definitions.resolve_job_def(name).execute_in_process(
                    instance=instance,
                    asset_selection=[_key(key) for key in keys],
                    partition_key="mvp" if name == "experiment" else None,
                    run_config=QUIET,
                )
                for event in result.all_events:
                    if event.is_step_success:
                        steps[event.step_key] = event.step_success_data.duration_ms / 1000
            print(
                json.dumps(
                    {
                        "seconds": time.perf_counter() - began,
                        "steps": steps,
                        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    }
                )
            )
            return
        definition = definitions.resolve_job_def(job)
        tags, keys = {}, []
        if definition.partitions_def is not None:
            keys = definition.partitions_def.get_partition_keys()
            tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        result = definition.execute_in_process(instance=instance, tags=tags, run_config=QUIET)
        rows = [
            event.event_specific_data.materialization.metadata["dagster/row_count"].value  # type: ignore[union-attr]
            for event in result.all_events
            if event.is_step_materialization
        ]
        stamps = [
            entry.timestamp
            for entry in instance.all_logs(result.run_id)
            if entry.dagster_event is not None and entry.dagster_event.is_step_materialization
        ]
        print(
            json.dumps(
                {
                    # From the first request, which comes one answer before the first event, to the last event.
                    "seconds": max(stamps) - min(stamps) + 1 / REQUESTS_PER_SECOND if stamps else 0.0,
                    "whole_run": time.perf_counter() - began,
                    "keys": len(keys),
                    "requested": sum(count > 0 for count in rows),
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            )
        )


def _key(name: str):  # type: ignore[no-untyped-def]
    import dagster as dg

    return dg.AssetKey(name)


if __name__ == "__main__":
    if "--run" in sys.argv:
        run(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
