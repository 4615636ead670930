"""The report of one experiment's backtest: a page for a person, tables for programs.

In the folder: report.html, metrics.json, nav.parquet, trades.parquet, holdings.parquet, and
tearsheet.html as an appendix where QuantStats can make one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from niftyformer_assets.portfolio.evidence.gather import Evidence
from niftyformer_assets.portfolio.evidence.verdict import verdict
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.files import REPORT, TEARSHEET
from niftyformer_assets.portfolio.report.page import Page, Picture, Section, render
from niftyformer_assets.portfolio.report.sections import details, exposures, results, scores
from niftyformer_assets.portfolio.report.tables import write_tables
from niftyformer_assets.portfolio.report.tearsheet import write_tearsheet
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.words import counted


@dataclass(frozen=True)
class Summary:
    """What is worth showing beside the report: the verdict, headline figures, and its pictures by section."""

    verdict: str
    figures: Mapping[str, float]
    pictures: Mapping[str, Sequence[Picture]]


def write_report(
    folder: Path,
    evidence: Evidence,
    background: Background,
    *,
    tearsheet: bool = True,
    progress: Callable[[str], None] = lambda _line: None,
) -> Summary:
    """Write the report and its tables to `folder` (files are replaced one by one, each atomically).

    The same evidence gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    appendix = "No tear sheet was asked for."
    if tearsheet:
        progress("tear sheet")
        appendix = write_tearsheet(folder / TEARSHEET, evidence, background.experiment)
    progress("tables")
    write_tables(folder, evidence, background)
    progress("report")
    page = report_page(evidence, background, appendix)
    write_text(folder / REPORT, render(page))
    return summary_of(evidence, page)


def summary_of(evidence: Evidence, page: Page) -> Summary:
    """Verdict, headline figures and pictures for the metadata of the asset."""
    drawn = {
        section.anchor: [block for block in section.blocks if isinstance(block, Picture)] for section in page.sections
    }
    metrics = (
        "total_return",
        "excess_return_equal_weight",
        "sharpe",
        "max_drawdown",
        "rank_ic",
        "p_total_return",
        "turnover",
    )
    return Summary(
        verdict=" ".join(verdict(evidence.standing).sentences),
        figures={name: evidence.figure(name) for name in metrics},
        pictures={anchor: of_section for anchor, of_section in drawn.items() if of_section},
    )


def report_page(evidence: Evidence, background: Background, appendix: str) -> Page:
    """The report as data: verdict first, then results, reasons, and what they rest on."""
    judged = verdict(evidence.standing)
    dates = evidence.result.dates
    return Page(
        title=f"Backtest of {background.experiment}",
        subtitle=(
            f"{background.differs + ' · ' if background.differs else ''}"
            f"{background.market} · {evidence.part} window, {dates[1]} to {dates[-1]} "
            f"({counted(len(dates) - 1, 'session')}, "
            f"{len(evidence.result.returns)} that can earn) · {evidence.result.strategy.name.replace('_', ' ')}, "
            f"{counted(len(evidence.result.market.axes.symbols), 'stock')}"
        ),
        verdict=judged.sentences,
        outcome=judged.outcome,
        sections=(
            results.results(evidence),
            results.predictions(evidence, background.labels),
            results.months(evidence),
            scores.scores(evidence),
            *filter(None, [scores.networks(evidence)]),
            details.holdings(evidence),
            *filter(None, [exposures.exposures(evidence)]),
            details.costs(evidence),
            details.troubles(evidence, background.confirmed_breaks),
            results.all_figures(evidence),
            details.assumptions(evidence, background.survivorship),
            details.left_out_section(background.left_out),
            details.settings_section(background.settings, background.provenance, evidence.variants),
            Section("Appendix", (appendix,), files=(TEARSHEET,) if appendix.startswith(TEARSHEET) else ()),
        ),
    )
