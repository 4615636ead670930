"""Asset checks: what stops the graph (an error on a blocking check), and what only warns.

What is looked for is said by the packages, each as a `Finding`; here it is asked and shown.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

from niftyformer_assets.defs.automation.experiment_files import CHECK, check_of_files, wrong_files
from niftyformer_assets.defs.experiment_settings import EXPERIMENT_SETTINGS
from niftyformer_assets.defs.partitions import Partitions
from niftyformer_assets.defs.results import rounded, table
from niftyformer_assets.finding import Finding
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.workspace import ExperimentFolder

if TYPE_CHECKING:
    import pandas as pd

    from niftyformer_assets.model.data import Dataset

# Rows of a table of findings that are shown.
SHOWN = 400


def checks(partitions: Partitions) -> list[dg.AssetChecksDefinition]:
    """All checks, in the order of the graph."""
    return [
        _experiment_files(),
        *_market_checks(),
        *map(_sound_factors, partitions.factor_sets),
        *(_experiment_check(partitions.experiments, each) for each in _OF_EXPERIMENTS),
        _ledger_check(),
        _watch_check(),
    ]


def _shown(finding: Finding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if finding.defect else dg.AssetCheckSeverity.WARN,
        description=finding.sentence,
        metadata={
            **{name: rounded(value) for name, value in finding.figures.items()},
            **{name: table(rows, limit=SHOWN) for name, rows in finding.tables.items()},
        },
    )


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
        from niftyformer_assets.market.quality import enough_usable

        return _shown(enough_usable(_read(settings.workspace.data_quality_report)))

    @dg.asset_check(asset="data_quality_report", description="No symbol failed and nothing was quarantined.")
    def nothing_quarantined(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        from niftyformer_assets.market.quality import nothing_quarantined

        return _shown(nothing_quarantined(_read(settings.workspace.data_quality_report)))

    return [enough_usable_symbols, nothing_quarantined]


def _sound_factors(factor_set: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="sound_factors",
        asset=f"{factor_set}_panel",
        description="No factor is infinite, implausible or constant, none is missing for more than 20%, no session is "
        "thin.",
    )
    def looked_at(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        from niftyformer_assets.factors.checks import sound_factors
        from niftyformer_assets.factors.panel_reading import read_factor_panel
        from niftyformer_assets.factors.registry import FACTOR_SETS
        from niftyformer_assets.market.panel import load_panel

        workspace, chosen = settings.workspace, FACTOR_SETS[factor_set]
        panel = load_panel(workspace.market_panel)
        factors = read_factor_panel(workspace.factor_panel(factor_set), panel.axes, chosen.names)
        return _shown(sound_factors(factor_set, chosen, factors, panel))

    return looked_at


def _experiment_check(keys: dg.PartitionsDefinition, each: "_Looked") -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=each.asset, name=each.name, partitions_def=keys, description=each.description)
    def checked(context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        return _shown(each.look(settings, settings.workspace.experiment(context.partition_key)))

    return checked


def _embedding(settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.dataset.information import carries_information, information
    from niftyformer_assets.store.arrays import load_arrays

    adjacency, axes = load_arrays(folder.corr_adj)
    vectors, _ = load_arrays(folder.graph_embeddings, axes)
    universe = _read(settings.workspace.universe)
    sectors = dict(zip(universe["symbol"], universe["sector"], strict=True))
    return carries_information(
        information(
            vectors[folder.graph_embeddings.stem],
            adjacency[folder.corr_adj.stem],
            [sectors[symbol] for symbol in axes.symbols],
            seed=0,
        )
    )


def _differing(_settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.model.checks import not_constant_across_stocks

    return not_constant_across_stocks(_predictions(folder))


def _both_directions(_settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.model.checks import not_one_class

    return not_one_class(_predictions(folder))


def _complete(_settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.model.checks import index_complete
    from niftyformer_assets.model.predict import expected_index

    return index_complete(_predictions(folder), expected_index(_dataset(folder)))


def _against_trivial_ones(_settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.model.checks import against_trivial

    dataset = _dataset(folder)
    return against_trivial(_predictions(folder), dataset.labels, dataset.axes, dataset.split)


def _luck(_settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.portfolio.report.files import better_than_luck, read_metrics

    return better_than_luck(read_metrics(folder.backtest))


def _in_use(settings: Settings, folder: ExperimentFolder) -> Finding:
    from niftyformer_assets.experiments.retraining import beside_the_one_in_use

    return beside_the_one_in_use(settings, folder.root.name)


class _Looked(NamedTuple):
    """A check of an artifact of each experiment."""

    asset: str
    name: str
    description: str
    look: Callable[[Settings, ExperimentFolder], Finding]


_OF_EXPERIMENTS = (
    _Looked(
        *("graph_embeddings", "carries_information"),
        "Neighbours in the embedding agree in degree or in sector more than by chance, and the embedding does not "
        "encode the order of the symbols.",
        _embedding,
    ),
    _Looked(
        *("predictions", "not_constant_across_stocks"),
        "On every session the predictions differ between stocks.",
        _differing,
    ),
    _Looked("predictions", "not_one_class", "Both directions are predicted.", _both_directions),
    _Looked(
        *("predictions", "index_complete"),
        "Every stock with enough returns has one prediction a session and horizon.",
        _complete,
    ),
    _Looked(
        *("predictions", "against_trivial"),
        "Better than predicting zero and than naming the more frequent direction, on test.",
        _against_trivial_ones,
    ),
    _Looked(
        *("backtest_report", "better_than_luck"),
        "The model earns more than the best baseline, and at the 95% level more than its own scores with the "
        "symbols permuted and than equal weight.",
        _luck,
    ),
    _Looked(
        *("backtest_report", "beside_the_model_in_use"),
        "Of a retraining of the experiment in use: whether it is proposed in its place, by the sessions that both saw "
        "out of sample.",
        _in_use,
    ),
)


def _ledger_check() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="paper_account",
        description="Every row of the ledger fits the one before it, the heads of all earlier materializations stand "
        "in it, and the signals that it followed are still what they were.",
    )
    def ledger_as_it_was(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.AssetCheckResult:
        from niftyformer_assets.defs.bodies.portfolio.paper_account import heads
        from niftyformer_assets.portfolio.paper.checks import as_it_was

        workspace = settings.workspace
        return _shown(as_it_was(workspace.paper_account, heads(context.instance), workspace.signal))

    return ledger_as_it_was


def _watch_check() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="model_watch",
        description="What the signals were worth is what the backtest was worth, by a test that warns of one sound "
        "model in twenty at most, ever; and the factors are distributed as in "
        "stretches of training.",
    )
    def model_alive(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        from niftyformer_assets.store.tables import read_notes

        said = json.loads(read_notes(settings.workspace.model_drift)["finding"])
        return _shown(Finding(said["passed"], said["sentence"], said["figures"]))

    return model_alive


# pandas and torch take longer to load than the definitions.
def _read(path: Path) -> "pd.DataFrame":
    from niftyformer_assets.store.tables import read_parquet

    return read_parquet(path)


def _predictions(folder: ExperimentFolder) -> "pd.DataFrame":
    from niftyformer_assets.model.predictions import read_predictions

    return read_predictions(folder.predictions)


def _dataset(folder: ExperimentFolder) -> "Dataset":
    from niftyformer_assets.model.data import load_dataset

    return load_dataset(folder.root)
