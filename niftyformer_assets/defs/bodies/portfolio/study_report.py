"""The report on a study as an asset."""

from __future__ import annotations

import dagster as dg

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.bodies.portfolio.reports import MARKETS, index_levels, shown_pictures
from niftyformer_assets.experiments.contenders import Scopes
from niftyformer_assets.experiments.files import find_study
from niftyformer_assets.experiments.study_record import exposures_of_study, held_against, judged, survivorship_of
from niftyformer_assets.experiments.variants import what_decides_beside_sessions
from niftyformer_assets.market.sectors import sectors_in_force
from niftyformer_assets.market.size_proxy import load_size_proxy
from niftyformer_assets.portfolio.evidence.pooled.gather import gather_pooled
from niftyformer_assets.portfolio.evidence.pooled.record import StudyRecord
from niftyformer_assets.portfolio.evidence.pooled.regimes import read_events
from niftyformer_assets.portfolio.evidence.study_predictions import read_contenders
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.study_report import write_study_report
from niftyformer_assets.report_server import study_address
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.tables import read_parquet


def report_study(context: dg.AssetExecutionContext, settings: Settings) -> Made:
    """Judge the joined scores, and write the report."""
    study, workspace = find_study(settings, context.partition_key), settings.workspace
    folder = workspace.study(study.name)
    scopes = Scopes(workspace)
    axes = scopes.axes
    contenders, missing = read_contenders(folder.predictions, folder.contenders, axes)
    scores = contenders[0].scores
    first, last = (str(scores.axes.dates[place]) for place in (0, scores.sessions - 1))
    tries = Tries(workspace.tries, what_decides_beside_sessions)
    evidence = gather_pooled(
        StudyRecord(
            scopes.panel,
            axes,
            index_levels(settings),
            sectors_in_force(read_parquet(workspace.sector_dummies), axes.symbols, axes.dates),
            load_size_proxy(workspace.size_proxy, axes),
            read_events(),
            exposures_of_study(study, workspace, axes),
        ),
        contenders,
        main=judged(study, contenders),
        against=held_against(study, contenders),
        variants=len(tries.on(first, last) | {tries.variant(each.experiment.values()) for each in study.planned}),
        missing=missing,
        seed=study.first[0].seed,
    )
    background = Background(
        experiment=study.name,
        market=MARKETS[settings.source],
        survivorship=survivorship_of(study, scopes),
        settings=study.values(),
    )
    written = write_study_report(folder.report, evidence, background)
    return Made(
        {
            "dagster/row_count": len(evidence.dates),
            "report": dg.MetadataValue.url(study_address(settings, study.name)),
            "verdict": written.verdict,
            **{name: float(value) for name, value in written.figures.items()},
            "missing": ", ".join(missing) or "none",
            **shown_pictures(written),
        }
    )
