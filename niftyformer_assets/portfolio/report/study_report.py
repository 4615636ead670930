"""The report of a study: a page for a person, figures and curves for programs.

In the folder: study.html, study.json, nav.parquet and figures.parquet.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from niftyformer_assets.portfolio.evidence.pooled.evidence import NO_WINDOW, WINDOW_OF_SESSION, PooledEvidence
from niftyformer_assets.portfolio.evidence.pooled.verdict import study_in_short, study_verdict
from niftyformer_assets.portfolio.formatting import readable_name
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.files import NAV
from niftyformer_assets.portfolio.report.page import Page, Picture, render
from niftyformer_assets.portfolio.report.report import Summary
from niftyformer_assets.portfolio.report.sections import (
    details,
    exposures,
    results,
    study_details,
    study_results,
    study_scores,
)
from niftyformer_assets.portfolio.report.tables import as_json, exposures_content
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.index import write_entered
from niftyformer_assets.store.tables import write_parquet
from niftyformer_assets.words import counted

PAGE, CONTENT, FIGURES = "study.html", "study.json", "figures.parquet"
HEADLINE = (
    "annual_return",
    "excess_return_equal_weight",
    "sharpe",
    "max_drawdown",
    "rank_ic",
    "turnover",
    "alpha",
    "beta",
)


def write_study_report(folder: Path, evidence: PooledEvidence, background: Background) -> Summary:
    """Write the report and its tables to `folder` (files are replaced one by one, each atomically).

    The same evidence gives the same bytes.

    Args:
        background: its `experiment` is the study's name, its `settings` those of the study's file.

    Returns:
        what is worth showing beside it: the verdict, headline figures, and its pictures by section.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(folder / NAV, evidence.nav)
    write_parquet(folder / FIGURES, evidence.figures)
    write_entered(folder / CONTENT, json.dumps(as_json(study_content(evidence, background)), indent=1) + "\n")
    page = study_page(evidence, background)
    write_text(folder / PAGE, render(page))
    drawn = {
        section.anchor: [block for block in section.blocks if isinstance(block, Picture)] for section in page.sections
    }
    return Summary(
        verdict=" ".join(page.verdict),
        figures={name: evidence.figure(name) for name in HEADLINE},
        pictures={anchor: of_section for anchor, of_section in drawn.items() if of_section},
    )


def study_content(evidence: PooledEvidence, background: Background) -> dict[str, Any]:
    """The content of study.json; figures not defined are NaN here and null there."""
    standing = evidence.standing
    judged = study_verdict(standing)
    return {
        "study": background.experiment,
        "market": background.market,
        "main": evidence.main,
        "against": evidence.against,
        "first_session": str(evidence.dates[0]),
        "last_session": str(evidence.dates[-1]),
        "windows": [str(name) for name in dict.fromkeys(evidence.divisions[WINDOW_OF_SESSION]) if name != NO_WINDOW],
        "missing": list(evidence.missing),
        "verdict": list(judged.sentences),
        "outcome": judged.outcome,
        "in_short": study_in_short(standing),
        "standing": asdict(standing),
        "contenders": [
            {"name": each.name, "kind": each.kind, "point": {key: str(value) for key, value in each.point.items()}}
            for each in evidence.contenders
        ],
        "benchmark": evidence.benchmark,
        "ranking": evidence.ranking.to_dict("records"),
        "money": evidence.money.to_dict("records"),
        "parts": evidence.parts.to_dict("records"),
        "paired": evidence.paired.to_dict("records"),
        "capacity": evidence.capacity.to_dict("records"),
        "seeds": evidence.seeds.to_dict("records"),
        "exposures": exposures_content(evidence.exposure_split),
        "overfitting": asdict(evidence.overfitting),
        "variants": evidence.variants,
        "notes": list(evidence.notes),
        "settings": background.settings,
    }


def study_page(evidence: PooledEvidence, background: Background) -> Page:
    """The report as data: verdict first, then results, reasons, and what they rest on."""
    judged = study_verdict(evidence.standing)
    dates = evidence.dates
    sections = (
        study_results.results(evidence),
        study_results.against(evidence),
        study_scores.scores(evidence),
        results.months(evidence),
        study_scores.regimes(evidence),
        study_scores.groups(evidence),
        study_scores.windows(evidence),
        study_results.grid(evidence),
        study_results.seeds(evidence),
        details.holdings(evidence),
        exposures.exposures(evidence),
        details.costs(evidence),
        study_details.capacity(evidence),
        study_details.multiple_testing(evidence),
        study_details.assumptions(evidence, background.survivorship),
        details.settings_section(background.settings, background.provenance, evidence.variants),
    )
    return Page(
        title=f"Study {background.experiment}",
        subtitle=(
            f"{background.differs + ' · ' if background.differs else ''}{background.market} · "
            f"{dates[0]} to {dates[-1]} ({counted(len(dates), 'session')}) · "
            f"{counted(evidence.standing.windows, 'window')}, {counted(len(evidence.contenders), 'contender')}, "
            f"judged: {readable_name(evidence.main)}"
        ),
        verdict=judged.sentences,
        outcome=judged.outcome,
        sections=[section for section in sections if section is not None],
    )
