"""The report on a study as an asset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.bodies.portfolio.reports import MARKETS, index_levels, shown_pictures
from niftyformer_assets.experiments.contenders import Scopes
from niftyformer_assets.experiments.exposures import read_exposures
from niftyformer_assets.experiments.files import find_study
from niftyformer_assets.experiments.study import Study
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.market.sectors import sectors_in_force
from niftyformer_assets.market.size_proxy import load_size_proxy
from niftyformer_assets.portfolio.backtest.scoring import Exposures
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender
from niftyformer_assets.portfolio.evidence.pooled.gather import gather_pooled
from niftyformer_assets.portfolio.evidence.pooled.record import StudyRecord
from niftyformer_assets.portfolio.evidence.pooled.regimes import read_events
from niftyformer_assets.portfolio.evidence.study_predictions import read_contenders
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.study_report import write_study_report
from niftyformer_assets.report_server import study_address
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import Workspace


def report_study(context: dg.AssetExecutionContext, settings: Settings) -> Made:
    """Judge the joined scores, and write the report."""
    study, workspace = find_study(settings, context.partition_key), settings.workspace
    folder = workspace.study(study.name)
    scopes = Scopes(workspace)
    axes = scopes.axes
    contenders, missing = read_contenders(folder.predictions, folder.contenders, axes)
    scores = contenders[0].scores
    first, last = (str(scores.axes.dates[place]) for place in (0, scores.sessions - 1))
    tries = Tries(workspace.tries, _decides_beside_sessions)
    evidence = gather_pooled(
        StudyRecord(
            scopes.panel,
            axes,
            index_levels(settings),
            sectors_in_force(read_parquet(workspace.sector_dummies), axes.symbols, axes.dates),
            load_size_proxy(workspace.size_proxy, axes),
            read_events(),
            _exposures(study, workspace, axes),
        ),
        contenders,
        main=_judged(study, contenders),
        against=_known("is held against", study.settings.against, study, contenders),
        variants=len(tries.on(first, last) | {tries.variant(each.experiment.values()) for each in study.planned}),
        missing=missing,
        seed=study.first[0].seed,
    )
    background = Background(
        experiment=study.name,
        market=MARKETS[settings.source],
        survivorship=_survivorship(study, scopes),
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


def _survivorship(study: Study, scopes: Scopes) -> str:
    """What the first and the last window say of stocks that left the index."""
    found = {each.window: scopes.of(each.experiment).survivorship for each in (study.planned[0], study.planned[-1])}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return " ".join(f"Window {window}: {said}" for window, said in found.items())


def _exposures(study: Study, workspace: Workspace, axes: Axes) -> Exposures:
    """What any strategy of the study takes out of scores."""
    numbers: dict[str, np.ndarray] = {}
    groups: dict[str, np.ndarray] = {}
    experiments = [each.experiment for each in study.planned if each.experiment.strategy.neutralise]
    for of in {(each.strategy.neutralise, each.factors.factor_set): each for each in experiments}.values():
        read = read_exposures(workspace, of, axes)
        numbers |= read.numbers
        groups |= read.groups
    return Exposures(axes, numbers, groups)


def _decides_beside_sessions(values: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two variants of a study: its windows are tries of one."""
    return what_decides({section: value for section, value in values.items() if section != "sessions"})


def _judged(study: Study, contenders: list[Contender]) -> str:
    """Whom the verdict is about: whom the study's file names, or the first ensemble, or the model."""
    ensembles = [contender.name for contender in contenders if contender.kind == "ensemble"]
    first = (ensembles or [contender.name for contender in contenders])[0]
    return _known("judges", study.settings.judge, study, contenders) or first


def _known(does: str, wanted: str, study: Study, contenders: list[Contender]) -> str:
    """The name, of somebody who has scores; empty where none is wanted."""
    if wanted and wanted not in [contender.name for contender in contenders]:
        raise NiftyFormerError(
            f"study {study.name} {does} {wanted!r}, of which no experiment has predictions yet: make those that are "
            "missing"
        )
    return wanted
