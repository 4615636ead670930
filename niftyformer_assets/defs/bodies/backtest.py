"""The backtest report and the comparison as assets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from niftyformer_assets.artifacts import artifacts, read_files
from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.resources import Experiments
from niftyformer_assets.defs.results import picture, table
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import experiments_of, experiments_of_files, studies_of
from niftyformer_assets.experiments.opened import OpenedExperiment
from niftyformer_assets.experiments.variants import what_decides, without_defaults
from niftyformer_assets.market.benchmark import load_benchmark
from niftyformer_assets.model.predictions import read_predictions
from niftyformer_assets.portfolio.evidence.gather import MarketRecord, Predicted, gather_evidence
from niftyformer_assets.portfolio.evidence.tries import NAMES, Tries
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.comparison import model_comparison
from niftyformer_assets.portfolio.report.comparison_page import picture as comparison_picture
from niftyformer_assets.portfolio.report.comparison_page import sentences, write_comparison
from niftyformer_assets.portfolio.report.experiment_log import experiment_log
from niftyformer_assets.portfolio.report.experiment_log_page import write_experiment_log
from niftyformer_assets.portfolio.report.files import METRICS
from niftyformer_assets.portfolio.report.report import Summary, write_report
from niftyformer_assets.report_server import comparison_address, log_address, report_address
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import code_version, fingerprints, must_be_as_recorded, must_have_record
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import ExperimentFolder

# The columns of the comparison that fit on a screen; the files hold them all.
SHOWN = (
    *("rank", "experiment", "name", "kind", "verdict", "excess_return_equal_weight"),
    *("excess_return_equal_weight_low", "excess_return_equal_weight_high", "excess_return_equal_weight_t"),
    *("excess_span", "sharpe", "sharpe_low", "sharpe_high", "rank_ic", "rank_ic_t", "sessions"),
)
MARKETS = {
    "made up": "a made-up market: it says nothing about real ones",
    "replay": "replayed candles",
    "zerodha": "Zerodha's candles",
    "elsewhere": "candles of a simulated exchange",
}


def report_backtest(context: dg.AssetExecutionContext, experiments: Experiments) -> Made:
    """Trade the predictions and every baseline on the test sessions, and write the report."""
    opened, settings = experiments.open(context.partition_key), experiments.settings
    experiment, folder, workspace = opened.experiment, opened.folder, opened.workspace
    row = artifacts()["backtest_report"]
    window, tries = _test_window(opened), Tries(workspace.tries, what_decides)
    record = MarketRecord(
        opened.panel, opened.scope, index_levels(settings), opened.sectors_in_force(), opened.log_size()
    )
    predicted = Predicted(
        read_predictions(folder.predictions),
        read_predictions(folder.baseline_predictions),
        experiment.windows.kind.of(opened.returns(), experiment.windows.horizons),
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
        label=experiment.windows.label,
        settings=experiment.values(),
        provenance=fingerprints(read_files(row, workspace, experiment)) | {"code": code_version(*row.made_by)},
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


def shown_pictures(written: Summary) -> dict[str, dg.MetadataValue]:
    """The pictures of a report by section, as the web UI shows them."""
    return {
        anchor.replace("-", "_"): dg.MetadataValue.md(
            "\n\n".join(str(picture(drawn.png, drawn.alt).md_str) for drawn in of_section)
        )
        for anchor, of_section in written.pictures.items()
    }


def compare_experiments(settings: Settings) -> Made:
    """Put every experiment of a file that has a report beside the others; say which have none."""
    workspace = settings.workspace
    names = list(experiments_of_files(settings))
    folders = {name: workspace.experiment(name) for name in names}
    comparison = model_comparison(folders, Tries(workspace.tries, what_decides), _not_as_recorded(folders))
    write_comparison(workspace.comparison_csv, workspace.comparison_html, comparison)
    return Made(
        {
            "dagster/row_count": len(comparison.table),
            "report": dg.MetadataValue.url(comparison_address(settings)),
            "verdict": " ".join(sentences(comparison)),
            "without_report": dg.MetadataValue.json(dict(comparison.without_report)),
            "ranking": table(comparison.table[[column for column in SHOWN if column in comparison.table]], limit=60),
            **(
                {"intervals": picture(comparison_picture(comparison), "return above equal weight, with 95% intervals")}
                if len(comparison.table)
                else {}
            ),
        },
        settings={"experiments": names},
    )


def log_experiments(settings: Settings) -> Made:
    """Put down every finished experiment of the workspace, those of studies too."""
    workspace, experiments = settings.workspace, experiments_of(settings)
    study_of = {name: study.name for study in studies_of(settings).values() for name in study.experiments}
    log = experiment_log(
        {name: workspace.experiment(name) for name in experiments},
        study_of,
        {name: _differing(experiment) for name, experiment in experiments.items()},
    )
    write_experiment_log(workspace.experiment_log_csv, workspace.experiment_log_html, log, workspace.name)
    return Made(
        {
            "dagster/row_count": len(log),
            "report": dg.MetadataValue.url(log_address(settings)),
            "experiments": table(log.drop(columns=["code", "taken_over"]), limit=60),
        }
    )


def _differing(experiment: Experiment) -> dict[str, Any]:
    """The settings that differ from the published ones, its sessions and what it is called aside."""
    values = {key: value for key, value in experiment.values().items() if key not in (*NAMES, "sessions")}
    return without_defaults(values)


def _not_as_recorded(folders: Mapping[str, ExperimentFolder]) -> dict[str, str]:
    """The experiments whose report is not the one that was recorded last, and why."""
    found = {}
    for name, folder in folders.items():
        if not (folder.backtest / METRICS).is_file():
            continue
        try:
            record = must_have_record(folder.provenance, "backtest_report")
            must_be_as_recorded(folder.provenance, record)
            if (of := record.settings.get("name")) != name:
                raise NiftyFormerError(
                    f"the report in {folder.backtest} is that of {of}: materialize backtest_report of {name}."
                )
        except NiftyFormerError as error:
            found[name] = str(error)
    return found


def index_levels(settings: Settings) -> dict[str, pd.Series]:
    """The NIFTY 50 by date, as price index (like for like with candles) and with dividends where given."""
    frame, _ = load_benchmark(settings.workspace.benchmark_index)
    by_date = frame.set_index("date")
    indices = {"NIFTY 50 (price)": by_date["close"]}
    if settings.total_return is not None or by_date["total_return"].notna().any():
        indices["NIFTY 50 (with dividends)"] = by_date["total_return"]
    return indices


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
