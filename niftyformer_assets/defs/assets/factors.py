"""Assets of the `factors` package: labels, factor panels, the IC summary and the neutralised factors."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset
from niftyformer_assets.defs.jobs import OWN_PANEL_TAG
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.defs.results import picture
from niftyformer_assets.defs.sensors import AFTER_A_NEW_PANEL
from niftyformer_assets.settings import Settings, asks_for


def factor_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Labels and factor panels of the workspace; selection and neutralisation by experiment."""
    asset = partial(artifact_asset, partitions)

    @asset(automation_condition=AFTER_A_NEW_PANEL)
    def labels(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.factors.labels import daily_returns, labels_picture, write_labels
        from niftyformer_assets.store.arrays import load_arrays

        workspace = settings.workspace
        panel, axes = load_arrays(workspace.market_panel)
        returns = daily_returns(panel["close"], panel["segment"])
        write_labels(workspace.labels, returns, axes)
        present = returns == returns
        return Made(
            {
                "dagster/row_count": len(returns),
                "symbols": returns.shape[1],
                "share_missing": float(1 - present.mean()),
                "share_up": float((returns[present] > 0).mean()),
                "distribution": picture(labels_picture(returns, axes), "the distribution of daily returns"),
            },
        )

    @asset(automation_condition=AFTER_A_NEW_PANEL)
    def alpha158_panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.factor_panels import make_panel

        return make_panel(context, settings, "alpha158")

    @asset(automation_condition=AFTER_A_NEW_PANEL)
    def alpha360_panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.factor_panels import make_panel, no_panel

        if asks_for(settings, "alpha360"):
            return make_panel(context, settings, "alpha360")
        return no_panel(settings, "alpha360")

    def own_panel(factor_set: str) -> dg.AssetsDefinition:
        @asset(f"{factor_set}_panel", automation_condition=AFTER_A_NEW_PANEL, tags=OWN_PANEL_TAG)
        def panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Made:
            from niftyformer_assets.defs.factor_panels import make_panel

            return make_panel(context, settings, factor_set)

        return panel

    own_panels = [own_panel(factor_set) for factor_set in partitions.own_factor_sets]

    @asset(said=told_of_wrong_files(partitions.wrong))
    def ic_summary(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.selection import summarize_ic

        return summarize_ic(experiments.open(context.partition_key))

    @asset()
    def neutralized_factors(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.selection import neutralize_selected

        return neutralize_selected(experiments.open(context.partition_key))

    return [labels, alpha158_panel, alpha360_panel, *own_panels, ic_summary, neutralized_factors]
