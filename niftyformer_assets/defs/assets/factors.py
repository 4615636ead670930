"""Assets of the `factors` package: labels, factor panels, the IC summary and the neutralised factors."""

from functools import partial

import dagster as dg

from niftyformer_assets.defs.experiment_settings import settings_dep
from niftyformer_assets.defs.jobs import OWN_PANEL_TAG
from niftyformer_assets.defs.partitions import Partitions, told_of_wrong_files
from niftyformer_assets.defs.resources import ExperimentHolder
from niftyformer_assets.defs.results import materialized, one_line_errors, picture
from niftyformer_assets.defs.sensors import AFTER_A_NEW_PANEL
from niftyformer_assets.settings import Settings, asks_for
from niftyformer_assets.store.provenance import code_version

MADE_BY = ("factors", "market")
PANELS = ("alpha158_panel", "alpha360_panel")


def factor_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Labels and factor panels of the workspace; selection and neutralisation by experiment."""
    experiments = partitions.experiments.get_partition_keys()
    asset = partial(dg.asset, group_name="factors", owners=["team:factors"], code_version=code_version(*MADE_BY))

    @asset(
        deps=["market_panel"],
        automation_condition=AFTER_A_NEW_PANEL,
        kinds={"csv"},
        description="Daily returns, from `market_panel`: what is predicted, one and two sessions ahead.\n\n"
        "`label.csv`: (close − previous close) / previous close [sessions × symbols], simple return, not percent; "
        "empty where there is none, as on the first session after a broken adjustment.",
    )
    @one_line_errors()
    def labels(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.factors.labels import daily_returns, labels_picture, write_labels
        from niftyformer_assets.store.arrays import load_arrays

        workspace = settings.workspace
        panel, axes = load_arrays(workspace.market_panel)
        returns = daily_returns(panel["close"], panel["segment"])
        write_labels(workspace.labels, returns, axes)
        present = returns == returns
        return materialized(
            "labels",
            workspace.provenance,
            made_by=MADE_BY,
            settings={},
            inputs=[workspace.market_panel],
            outputs=[workspace.labels],
            metadata={
                "dagster/row_count": len(returns),
                "symbols": returns.shape[1],
                "share_missing": float(1 - present.mean()),
                "share_up": float((returns[present] > 0).mean()),
                "distribution": picture(labels_picture(returns, axes), "the distribution of daily returns"),
            },
        )

    @asset(
        deps=["market_panel"],
        automation_condition=AFTER_A_NEW_PANEL,
        kinds={"numba", "parquet"},
        description="Qlib's Alpha158, from `market_panel`: 158 factors of a stock's own candles.\n\n"
        "`alpha158.parquet`: date, symbol, 158 columns (float32); a row for each stock from its first candle on. "
        "docs/factors.md has every formula. Only new sessions are computed when candles were added.",
    )
    @one_line_errors()
    def alpha158_panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.defs.factor_panels import make_panel

        return make_panel(context, settings, "alpha158", MADE_BY)

    @asset(
        deps=["market_panel"],
        automation_condition=AFTER_A_NEW_PANEL,
        kinds={"numba", "parquet"},
        description="Qlib's Alpha360, from `market_panel`: the last 60 sessions of each field, scaled by the session's "
        "close.\n\n`alpha360.parquet`: date, symbol, 360 columns (float32). Made where an experiment's "
        "`factors.factor_set` asks for it; otherwise the table has no rows and says so.",
    )
    @one_line_errors()
    def alpha360_panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from niftyformer_assets.defs.factor_panels import make_panel, no_panel

        if asks_for(settings, "alpha360"):
            return make_panel(context, settings, "alpha360", MADE_BY)
        return no_panel(settings, "alpha360", MADE_BY)

    def own_panel(factor_set: str) -> dg.AssetsDefinition:
        @asset(
            name=f"{factor_set}_panel",
            deps=["market_panel"],
            automation_condition=AFTER_A_NEW_PANEL,
            tags=OWN_PANEL_TAG,
            kinds={"python", "parquet"},
            description="Your own factors (`factors/own.py`), from `market_panel`; with Alpha158 before "
            f"them in `alpha158_own`.\n\n`{factor_set}.parquet`: date, symbol, a column a factor (float32).",
        )
        @one_line_errors()
        def panel(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
            from niftyformer_assets.defs.factor_panels import make_panel

            return make_panel(context, settings, factor_set, MADE_BY)

        return panel

    own_panels = [own_panel(factor_set) for factor_set in partitions.own_factor_sets]
    panels = [*PANELS, *(f"{factor_set}_panel" for factor_set in partitions.own_factor_sets)]

    @asset(
        deps=[
            *(*panels, "labels", "size_proxy", "sector_dummies", "universe", "market_panel"),
            settings_dep(experiments, "ic_summary"),
        ],
        partitions_def=partitions.experiments,
        kinds={"csv"},
        description="How well each factor orders the stocks by their next return, and which are kept, from the factor "
        "panel and `labels` of the training sessions only.\n\n"
        "`ic_summary.csv`: a row a factor with its daily information coefficients; `selected_factors.txt`: those kept. "
        "Validation and test coefficients of the kept ones are shown beside, not used."
        + told_of_wrong_files(partitions.wrong),
    )
    @one_line_errors()
    def ic_summary(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.selection import summarize_ic

        holder.take(settings.workspace, context.partition_key)
        return summarize_ic(context, settings, MADE_BY)

    @asset(
        deps=[
            *(*panels, "ic_summary", "size_proxy", "sector_dummies", "universe", "market_panel"),
            settings_dep(experiments, "neutralized_factors"),
        ],
        partitions_def=partitions.experiments,
        kinds={"numpy", "csv"},
        description="The selected factors without size and sector, from `ic_summary`, the factor panel, `size_proxy` "
        "and `sector_dummies`.\n\n"
        "`factors/NAME.csv` [sessions × symbols] and `neutralized_factors.npz`: residuals of each session's "
        "regression, standardised on each session; missing = 0, with `valid` beside.",
    )
    @one_line_errors()
    def neutralized_factors(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        holder: dg.ResourceParam[ExperimentHolder],
    ) -> dg.MaterializeResult:
        from niftyformer_assets.defs.selection import neutralize_selected

        holder.take(settings.workspace, context.partition_key)
        return neutralize_selected(context, settings, MADE_BY)

    return [labels, alpha158_panel, alpha360_panel, *own_panels, ic_summary, neutralized_factors]
