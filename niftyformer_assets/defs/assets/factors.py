"""Assets of the `factors` package: returns, factor panels, the IC summary and the neutralised factors."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made, artifact_asset
from niftyformer_assets.defs.automation.sensors import AFTER_A_NEW_PANEL
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.settings import Settings


def factor_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Returns and factor panels of the workspace; selection and neutralisation by experiment."""
    asset = partial(artifact_asset, partitions)

    @asset(automation_condition=AFTER_A_NEW_PANEL)
    def returns(settings: dg.ResourceParam[Settings]) -> Made:
        from niftyformer_assets.defs.bodies.factors.returns import make_returns

        return make_returns(settings)

    def factor_panel(factor_set: str) -> dg.AssetsDefinition:
        @asset(f"{factor_set}_panel", automation_condition=AFTER_A_NEW_PANEL)
        def panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Made:
            from niftyformer_assets.defs.bodies.factors.panels import make_panel

            return make_panel(context, settings, factor_set)

        return panel

    @asset(said=told_of_wrong_files(partitions.wrong))
    def ic_summary(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.factors.selection import summarize_ic

        return summarize_ic(experiments.open(context.partition_key))

    @asset()
    def neutralized_factors(context: dg.AssetExecutionContext, experiments: dg.ResourceParam[Experiments]) -> Made:
        from niftyformer_assets.defs.bodies.factors.selection import neutralize_selected

        return neutralize_selected(experiments.open(context.partition_key))

    return [returns, *map(factor_panel, partitions.factor_sets), ic_summary, neutralized_factors]
