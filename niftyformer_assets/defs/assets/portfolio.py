"""Assets of the `portfolio` package: the backtest report, and all experiments side by side."""

import dagster as dg

from niftyformer_assets.defs.experiment_settings import REPORT, all_settings_dep, settings_dep
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import ExperimentHolder
from niftyformer_assets.defs.results import one_line_errors
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.provenance import code_version

MADE_BY = ("portfolio", "factors", "market")


def portfolio_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """From scores to money."""
    experiments = partitions.experiments.get_partition_keys()

    @dg.asset(
        group_name="portfolio",
        owners=["team:portfolio"],
        code_version=code_version(*MADE_BY),
        deps=[
            "predictions",
            "baseline_predictions",
            "market_panel",
            "benchmark_index",
            "universe",
            "sector_dummies",
            "size_proxy",
            "data_quality_report",
            settings_dep(experiments, REPORT),
        ],
        partitions_def=partitions.experiments,
        kinds={"html", "parquet"},
        description="What the predictions would have earned, from `predictions`, `baseline_predictions` and "
        "`market_panel`: scores of the close of a session, traded at the next one, in whole shares, with Zerodha's "
        "charges.\n\n"
        "`backtest/report.html`: the verdict in words first; beside it net asset value (rupees), trades, holdings and "
        "metrics as tables.",
    )
    @one_line_errors()
    def backtest_report(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.backtest import report_backtest

        holder.take(settings.workspace, context.partition_key)
        return report_backtest(context, settings, MADE_BY)

    @dg.asset(
        group_name="portfolio",
        owners=["team:portfolio"],
        code_version=code_version(*MADE_BY),
        deps=["backtest_report", all_settings_dep(experiments)],
        kinds={"html", "csv"},
        description="All experiments and baselines side by side, from every `backtest_report`.\n\n"
        "`comparison.csv` and `comparison.html`: ranked, with intervals; what has not been run is named."
        + told_of_wrong_files(partitions.wrong),
    )
    @one_line_errors()
    def model_comparison(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.defs.backtest import compare_experiments

        return compare_experiments(settings, MADE_BY)

    return [backtest_report, model_comparison]
