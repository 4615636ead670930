"""The backtest report as an asset."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.artifacts import artifacts, read_files
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.bodies.portfolio.reports import MARKETS, index_levels, shown_pictures
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.experiments.exposures import read_exposures
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.experiments.outcomes import outcomes_of
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.factors.labels import Labels
from niftyformer_assets.factors.settings import FACTOR_SET_NAMES
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.portfolio.evidence.gather import MarketRecord, Predicted, gather_evidence
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.report import write_report
from niftyformer_assets.report_server import report_address
from niftyformer_assets.store.provenance import fingerprints
from niftyformer_assets.store.tables import read_parquet


def report_backtest(context: dg.AssetExecutionContext, experiments: Experiments) -> Made:
    """Trade the predictions and every baseline on the test sessions, and write the report."""
    opened, settings = experiments.open(context.partition_key), experiments.settings
    experiment, folder, workspace = opened.experiment, opened.folder, opened.workspace
    rows = artifacts(FACTOR_SET_NAMES)
    row = rows["backtest_report"]
    window, tries = _test_window(opened), Tries(workspace.tries, what_decides)
    exposures = read_exposures(workspace, experiment, opened.panel_axes).on(opened.axes)
    record = MarketRecord(
        opened.panel,
        opened.scope,
        index_levels(settings),
        opened.sectors_in_force(),
        opened.log_size(),
        exposures,
    )
    predicted = Predicted(
        read_predictions(folder.predictions),
        read_predictions(folder.baseline_predictions),
        Labels.of(experiment.windows.labels, outcomes_of(opened)),
        read_predictions(folder.network_predictions) if experiment.networks > 1 else None,
    )
    evidence = gather_evidence(
        record,
        predicted,
        experiment.strategy,
        experiment.costs,
        variants=tries.count(experiment.values(), *window),
        seed=experiment.seed,
    )
    background = Background(
        experiment=experiment.name,
        market=MARKETS[settings.source],
        labels=experiment.windows.labels,
        settings=experiment.values(),
        provenance=fingerprints(read_files(row, workspace, experiment, rows=rows)) | {"code": row.code},
        left_out={**_left_out_by_quality(opened), **opened.scope.left_out},
        survivorship=" ".join(filter(None, (opened.scope.survivorship, opened.unknown_sectors))),
        confirmed_breaks=_confirmed_breaks(opened),
        differs=experiment.differs,
    )
    written = write_report(folder.backtest, evidence, background, progress=context.log.info)
    tries.remember(experiment.values(), *window)
    return Made(
        {
            "dagster/row_count": len(evidence.result.returns),
            "report": dg.MetadataValue.url(report_address(settings, experiment.name)),
            "verdict": written.verdict,
            **{name: float(value) for name, value in written.figures.items()},
            **shown_pictures(written),
        },
    )


def _test_window(opened: OpenedExperiment) -> tuple[str, str]:
    """The first and the last session that the experiment is tested on, as ISO dates."""
    tested = opened.axes.dates[opened.scope.split.test]
    return str(tested[0]), str(tested[-1])


def _left_out_by_quality(opened: OpenedExperiment) -> dict[str, str]:
    """Symbols of the universe without a candle, with the quality report's reason."""
    report = read_parquet(opened.workspace.data_quality_report)
    gone = report[report["verdict"] == "unavailable"]
    return dict(zip(gone["symbol"], gone["reason"], strict=True))


def _confirmed_breaks(opened: OpenedExperiment) -> frozenset[tuple[str, str]]:
    """Symbol and session of the broken adjustments that something confirms."""
    report = read_parquet(opened.workspace.data_quality_report, ("symbol", "confirmed_breaks"))
    named = zip(report["symbol"], report["confirmed_breaks"], strict=True)
    return frozenset((str(symbol), day) for symbol, days in named for day in days.split(",") if day)
