"""The benchmark as an asset: from a file that a person names, or through Kite."""

from __future__ import annotations

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.defs.results import picture
from niftyformer_assets.market.benchmark import (
    SYMBOL,
    fetch_benchmark,
    must_be_no_worse,
    read_benchmark_file,
    save_benchmark,
    shortcomings,
    with_total_return,
)
from niftyformer_assets.market.pictures import benchmark_picture
from niftyformer_assets.settings import Settings


def make_benchmark(settings: Settings, source: CandleSource) -> Made:
    """The NIFTY 50; with neither a file nor an instrument of that name, a table without rows."""
    workspace = settings.workspace
    if settings.benchmark is not None:
        frame, origin = read_benchmark_file(settings.benchmark), settings.benchmark.name
    else:
        with source.connect() as connection:
            frame = fetch_benchmark(connection.session(), connection.pacer, connection.ingest, connection.now)
        must_be_no_worse(workspace.benchmark_index, frame)
        origin = f"Kite's instrument {SYMBOL}" if len(frame) else f"none: Kite does not list {SYMBOL} here"
    if settings.total_return is not None:
        frame = with_total_return(frame, settings.total_return)
    save_benchmark(workspace.benchmark_index, frame, origin)
    return Made(
        {
            "dagster/row_count": len(frame),
            "source": origin,
            "lacks": " ".join(shortcomings(frame, settings.total_return)) or "nothing",
            "sessions_with_total_return": int(frame["total_return"].notna().sum()),
            "level": picture(benchmark_picture(frame), "the NIFTY 50 by session"),
        },
        settings={"source": origin},
        given=[path for path in (settings.benchmark, settings.total_return) if path is not None],
    )
