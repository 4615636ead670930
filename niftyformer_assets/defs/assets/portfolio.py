"""Assets of the `portfolio` package: the backtest report, studies, and all experiments side by side."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset
from niftyformer_assets.defs.made_with import Fitting
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import CandleSource, Experiments
from niftyformer_assets.settings import Settings


def portfolio_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """From scores to money."""
    asset = partial(artifact_asset, partitions)

    @asset()
    def backtest_report(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.backtest import report_backtest

        return report_backtest(context, experiments)

    @asset()
    def study_predictions(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], fitting: Fitting
    ) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.study_predictions import join_study

        return join_study(context, settings, fitting)

    @asset()
    def study_report(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.study_report import report_study

        return report_study(context, settings)

    @asset()
    def daily_signals(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
        fitting: Fitting,
    ) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.daily_signals import make_signal

        return make_signal(context, settings, candle_source, fitting)

    @asset()
    def paper_account(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.paper_account import go_on_on_paper

        return go_on_on_paper(context, settings)

    @asset()
    def model_watch(settings: dg.ResourceParam[Settings], fitting: Fitting) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.model_watch import watch_model

        return watch_model(settings, fitting)

    @asset()
    def order_proposal(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        candle_source: dg.ResourceParam[CandleSource],
    ) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.order_proposal import propose_orders

        return propose_orders(context, settings, candle_source)

    @asset(said=told_of_wrong_files(partitions.wrong))
    def model_comparison(settings: dg.ResourceParam[Settings], fitting: Fitting) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.comparison import compare_experiments

        return compare_experiments(settings, fitting)

    @asset()
    def experiment_log(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], fitting: Fitting
    ) -> Made:
        from niftyformer_assets.defs.bodies.portfolio.experiment_log import log_experiments

        return log_experiments(context, settings, fitting)

    return [
        *(backtest_report, study_predictions, study_report),
        *(daily_signals, paper_account, model_watch, order_proposal),
        *(model_comparison, experiment_log),
    ]
