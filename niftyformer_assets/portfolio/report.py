"""The report of one experiment's backtest: a page for a person, tables for programs.

In the folder: report.html, metrics.json, nav.parquet, trades.parquet, holdings.parquet, and
tearsheet.html as an appendix where QuantStats can make one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from niftyformer_assets.portfolio import report_details, report_scores, report_sections
from niftyformer_assets.portfolio.report_evidence import EQUAL_WEIGHT, Evidence
from niftyformer_assets.portfolio.report_page import Page, Picture, Section, render
from niftyformer_assets.portfolio.report_tearsheet import write_tearsheet
from niftyformer_assets.portfolio.verdict import in_short, verdict
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import read_json, write_entered
from niftyformer_assets.store.tables import write_parquet
from niftyformer_assets.store.words import counted

REPORT, METRICS, TEARSHEET = "report.html", "metrics.json", "tearsheet.html"
NAV, TRADES, HOLDINGS = "nav.parquet", "trades.parquet", "holdings.parquet"


@dataclass(frozen=True)
class Background:
    """What a report must say of its experiment besides figures.

    market: where the candles are from, in words, such as "a made-up market".
    label: the experiment's label: return, rank or zscore.
    settings: the experiment as it was run. provenance: name -> fingerprint or version.
    left_out: symbol -> reason. survivorship: whether stocks that left the index are in it, in words.
    confirmed_breaks: symbol and session (YYYY-MM-DD) of each broken adjustment that something confirms.
    differs: what was given instead of the values of the experiment's file, in words; empty where nothing was.
    """

    experiment: str
    market: str
    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    survivorship: str = ""
    confirmed_breaks: frozenset[tuple[str, str]] = frozenset()
    differs: str = ""


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
    _write_tables(folder, evidence)
    write_entered(folder / METRICS, json.dumps(_plain(report_metrics(evidence, background)), indent=1) + "\n")
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
        mood=judged.mood,
        sections=(
            report_sections.results(evidence),
            report_sections.predictions(evidence, background.label),
            report_sections.months(evidence),
            report_scores.scores(evidence),
            report_details.holdings(evidence),
            report_details.costs(evidence),
            report_details.troubles(evidence, background.confirmed_breaks),
            report_sections.all_figures(evidence),
            report_details.assumptions(evidence, background.survivorship),
            report_details.left_out_section(background.left_out),
            report_details.settings_section(background.settings, background.provenance, evidence.variants),
            Section("Appendix", (appendix,), files=(TEARSHEET,) if appendix.startswith(TEARSHEET) else ()),
        ),
    )


def report_metrics(evidence: Evidence, background: Background) -> dict[str, Any]:
    """The content of metrics.json; figures not defined are NaN here and null there.

    sessions are those on which something could be earned; the window is first_session to last_session.
    """
    standing = evidence.standing
    judged = verdict(standing)
    return {
        "experiment": background.experiment,
        "market": background.market,
        "part": evidence.part,
        "first_session": str(evidence.result.dates[1]),
        "last_session": str(evidence.result.dates[-1]),
        "sessions": len(evidence.result.returns),
        "risk_free_rate": evidence.result.strategy.risk_free_rate,
        "standing": asdict(standing),
        "verdict": list(judged.sentences),
        "mood": judged.mood,
        "in_short": in_short(standing),
        "null": {
            name: {"percentile": place.percentile, "p": place.p, "p_worse": place.p_worse}
            for name, place in evidence.null.place(evidence.result).items()
        }
        | {"portfolios": len(evidence.null.nav)},
        "picks": dict(zip(("by_lot", "all"), evidence.picks_by_lot, strict=True)),
        "index_notes": list(evidence.index_notes),
        "figures": evidence.figures.to_dict("records"),
        "predictions": evidence.errors.to_dict("records"),
        "horizons": evidence.horizons.to_dict("records"),
        "persistence": evidence.persistence.to_dict("records"),
        "groups": {name: table.to_dict("records") for name, table in evidence.by_group.items()},
        "short_term_tax": asdict(evidence.tax),
        "settings": background.settings,
    }


def read_metrics(folder: Path) -> dict[str, Any]:
    """The content of metrics.json in the folder of a report.

    Raises:
        NiftyFormerError: there is none, or it is not the one that was written.
    """
    path = folder / METRICS
    if not path.is_file():
        raise NiftyFormerError(f"{path} does not exist: materialize backtest_report for this experiment.")
    return read_json(path)


def _write_tables(folder: Path, evidence: Evidence) -> None:
    result = evidence.result
    low, middle, high = evidence.null.band()
    nav = {
        "session": result.dates.astype("datetime64[ns]"),
        "nav": result.nav,
        "cash": result.cash,
        "interest": result.interest,
        "exposure": result.exposure,
        "turnover": result.turnover,
        "cost": result.by_session("cost"),
        "random_p05": low,
        "random_median": middle,
        "random_p95": high,
        **{f"{name} (baseline)": each.nav for name, (_, each) in evidence.rivals.items()},
        EQUAL_WEIGHT: evidence.equal_weight.nav,
        **evidence.indices,
    }
    write_parquet(folder / NAV, pd.DataFrame(nav))
    write_parquet(folder / TRADES, result.orders)
    session, stock = np.nonzero(result.holdings)
    holdings = {
        "session": result.dates[session].astype("datetime64[ns]"),
        "symbol": np.array(result.market.axes.symbols)[stock],
        "shares": result.holdings[session, stock],
        "price": result.market.mark[session, stock] / 100,
        "weight": result.weights[session, stock],
    }
    write_parquet(folder / HOLDINGS, pd.DataFrame(holdings))


def _plain(value: Any) -> Any:
    """The same as JSON values: NaN and infinities become null, NumPy's numbers Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
