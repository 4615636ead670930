"""Asset checks: what stops the graph (an error on a blocking check), and what only warns."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from niftyformer_assets.defs.automation.experiment_files import CHECK, check_of_files, wrong_files
from niftyformer_assets.defs.experiment_settings import EXPERIMENT_SETTINGS
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.results import rounded, table
from niftyformer_assets.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

# With fewer usable symbols than this share of those listed, something is wrong with the source, not with stocks.
LEAST_USABLE_SHARE = 0.5
MOST_MISSING_SHARE = 0.2


def checks(partitions: Partitions) -> list[dg.AssetChecksDefinition]:
    """All checks, in the order of the graph."""
    return [_experiment_files(), *_market_checks(), *_factor_checks(partitions), *_experiment_checks(partitions)]


def _experiment_files() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=EXPERIMENT_SETTINGS,
        name=CHECK,
        description="Every file of an experiment can be read and understood; one that cannot is left out. Looked at "
        "whenever a file changes.",
    )
    def understood(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        return check_of_files(wrong_files(settings))

    return understood


def _market_checks() -> Sequence[dg.AssetChecksDefinition]:
    @dg.asset_check(
        asset="data_quality_report",
        blocking=True,
        description="At least half of the symbols that have candles can be used; otherwise nothing is built on them.",
    )
    def enough_usable_symbols(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        report = _read(settings.workspace.data_quality_report)
        listed = report[report["verdict"] != "unavailable"]
        usable = int(listed["in_universe"].sum())
        return dg.AssetCheckResult(
            passed=usable >= max(2, LEAST_USABLE_SHARE * len(listed)),
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{usable} of {len(listed)} symbols with candles can be used",
            metadata={"usable": usable, "with_candles": len(listed), "listed": len(report)},
        )

    @dg.asset_check(asset="data_quality_report", description="No symbol failed and nothing was quarantined.")
    def nothing_quarantined(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        report = _read(settings.workspace.data_quality_report)
        found = report[(report["verdict"] == "fail") | (report["quarantined"] > 0)]
        return dg.AssetCheckResult(
            passed=found.empty,
            severity=dg.AssetCheckSeverity.WARN,
            description=_quarantined(found),
            metadata={"found": table(found[["symbol", "verdict", "reason", "details"]], limit=100)},
        )

    return [enough_usable_symbols, nothing_quarantined]


def _quarantined(found: "pd.DataFrame") -> str:
    failed = found["verdict"] == "fail"
    parts = [
        f"{len(symbols)} symbol{'' if len(symbols) == 1 else 's'} {what}: {', '.join(symbols[:10])}"
        f"{f' and {len(symbols) - 10} more' if len(symbols) > 10 else ''}"
        for what, symbols in (
            ("that cannot be used", list(found["symbol"][failed])),
            ("with quarantined candles", list(found["symbol"][~failed])),
        )
        if symbols
    ]
    return "; ".join(parts) or "nothing was quarantined"


def _factor_checks(partitions: Partitions) -> Sequence[dg.AssetChecksDefinition]:
    return [_sound_factors(factor_set) for factor_set in partitions.factor_sets]


def _sound_factors(factor_set: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="sound_factors",
        asset=f"{factor_set}_panel",
        description="No factor is infinite, implausible or constant, none is missing for more than 20%, no session is "
        "thin.",
    )
    def sound_factors(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        from niftyformer_assets.factors.checks import (
            constant_factors,
            implausible_values,
            infinite_values,
            missing_share,
            thin_sessions,
        )
        from niftyformer_assets.factors.panel_file import read_factor_panel
        from niftyformer_assets.factors.registry import FACTOR_SETS
        from niftyformer_assets.market.panel import load_panel

        workspace = settings.workspace
        panel = load_panel(workspace.market_panel)
        names = FACTOR_SETS[factor_set].names
        factors = read_factor_panel(workspace.factor_panel(factor_set), panel.axes, names)
        infinite, constant = infinite_values(factors, names), constant_factors(factors, names)
        constant = constant[~constant["factor"].isin(FACTOR_SETS[factor_set].constant)]
        missing = missing_share(factors, names, panel.segment >= 0)
        often_missing = missing[missing["missing_share"] > MOST_MISSING_SHARE]
        thin = thin_sessions(factors, names, panel.axes.dates, min_stocks=10, after=60)
        implausible = implausible_values(factors, names, panel.axes)
        found = {
            "infinite": infinite,
            "implausible": implausible,
            "constant": constant,
            "often missing": often_missing,
            "thin sessions": thin,
        }
        wrong = [f"{len(rows)} {what}" for what, rows in found.items() if len(rows)]
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.ERROR if len(infinite) + len(implausible) else dg.AssetCheckSeverity.WARN,
            description=f"{factor_set}: {', '.join(wrong)}"
            if wrong
            else f"{factor_set}: no factor is infinite, implausible, constant or often missing, no session is thin",
            metadata={
                **{what: table(rows.astype(str)) for what, rows in found.items()},
                "missing by factor": table(missing, limit=len(missing)),
            },
        )

    return sound_factors


def _experiment_checks(partitions: Partitions) -> Sequence[dg.AssetChecksDefinition]:
    keys = partitions.experiments

    @dg.asset_check(
        asset="graph_embeddings",
        partitions_def=keys,
        description="Neighbours in the embedding agree in degree or in sector more than by chance, and the embedding "
        "does not encode the order of the symbols.",
    )
    def carries_information(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.AssetCheckResult:
        from niftyformer_assets.dataset.information import information
        from niftyformer_assets.store.arrays import load_arrays

        folder = settings.workspace.experiment(context.partition_key)
        adjacency, axes = load_arrays(folder.corr_adj)
        vectors, _ = load_arrays(folder.graph_embeddings, axes)
        universe = _read(settings.workspace.universe)
        sectors = dict(zip(universe["symbol"], universe["sector"], strict=True))
        found = information(
            vectors[folder.graph_embeddings.stem],
            adjacency[folder.corr_adj.stem],
            [sectors[symbol] for symbol in axes.symbols],
            seed=0,
        )
        return dg.AssetCheckResult(
            passed=found.informative and not found.encodes_order,
            severity=dg.AssetCheckSeverity.WARN,
            description=str(found),
            metadata={
                f"{name}_{figure}": rounded(value)
                for name, agreement in (("degree", found.degree), ("sector", found.sector), ("order", found.order))
                for figure, value in asdict(agreement).items()
            },
        )

    @dg.asset_check(
        asset="backtest_report",
        partitions_def=keys,
        description="The model earns more than the best baseline, and at the 95% level more than its own scores with "
        "the symbols permuted and than equal weight.",
    )
    def better_than_luck(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.AssetCheckResult:
        from niftyformer_assets.portfolio.report.files import read_metrics

        metrics = read_metrics(settings.workspace.experiment(context.partition_key).backtest)
        return dg.AssetCheckResult(
            passed=metrics["outcome"] == "good",
            severity=dg.AssetCheckSeverity.WARN,
            description=metrics["verdict"][0],
            metadata={
                "verdict": " ".join(metrics["verdict"]),
                **{name: rounded(value) for name, value in metrics["standing"].items()},
            },
        )

    return [carries_information, *_prediction_checks(keys), better_than_luck]


def _prediction_checks(keys: dg.PartitionsDefinition) -> Sequence[dg.AssetChecksDefinition]:
    def check(name: str, description: str) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset="predictions", name=name, partitions_def=keys, description=description)
        def checked(
            context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> dg.AssetCheckResult:
            from niftyformer_assets.model import checks
            from niftyformer_assets.model.data import load_dataset
            from niftyformer_assets.model.predict import expected_index, label_frame
            from niftyformer_assets.model.predictions import read_predictions

            folder = settings.workspace.experiment(context.partition_key)
            frame = read_predictions(folder.predictions)
            more: dict[str, Any] = {}
            if name == "index_complete":
                more = {"expected": expected_index(load_dataset(folder.root))}
            elif name == "against_trivial":
                more = {"labels": label_frame(load_dataset(folder.root))}
            verdict = getattr(checks, name)(frame, **more)
            return dg.AssetCheckResult(
                passed=verdict.passed,
                # To be no better than a trivial prediction is how markets are; to lack one is a defect.
                severity=dg.AssetCheckSeverity.ERROR if name == "index_complete" else dg.AssetCheckSeverity.WARN,
                description=verdict.sentence,
                metadata={figure: rounded(float(value)) for figure, value in verdict.figures.items()},
            )

        return checked

    return [
        check("not_constant_across_stocks", "On every session the predictions differ between stocks."),
        check("not_one_class", "Both directions are predicted."),
        check("index_complete", "Every stock with enough returns has one prediction a session and horizon."),
        check("against_trivial", "Better than predicting zero and than naming the more frequent direction, on test."),
    ]


def _read(path: Path) -> "pd.DataFrame":
    from niftyformer_assets.store.tables import read_parquet  # pandas takes longer to load than the definitions

    return read_parquet(path)
