"""The code version of an artifact changes with what decides on its files or on the figures of its metadata.

That is its body in `defs/bodies` and whatever it imports; and not what `code.NOT_COUNTED` names, which
records itself as an input or a setting, reads and writes, refuses, or is a matter of words and looks. The code of a
model counts for the artifacts of the experiments that name it: its own file, what fits it, and what these import.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from niftyformer_assets.artifacts import artifacts
from niftyformer_assets.code import BODIES, NOT_COUNTED, _is_not_counted, modules_of
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.imports import PACKAGE, sources
from niftyformer_assets.model.baseline_registry import Baseline, NetworkModel, registered
from niftyformer_assets.store.provenance import code_version

ROWS = artifacts(tuple(FACTOR_SETS))
OF = {name: set(modules_of(*row.code_files)) for name, row in ROWS.items()}
MODELS = registered()
OF_MODEL = {name: set(modules_of(*model.code_files())) for name, model in MODELS.items()}
NETWORKS = {name for name, model in MODELS.items() if issubclass(model, NetworkModel)}
ARRAYS = {name for name, model in MODELS.items() if issubclass(model, Baseline)}
TRAINED = {"trained_model", "predictions", "baseline_predictions"}
REPORTS = {"backtest_report", "study_report", "model_comparison", "experiment_log"}
OF_STUDY = {"study_predictions", "study_report"}
SELECTED = {"ic_summary", "neutralized_factors"}
PANELS = {f"{name}_panel" for name in FACTOR_SETS}
OF_158 = {"alpha158_panel", "alpha158_own_panel", "alpha158_nse93_panel", "alpha158_nse93_sectors_panel"}
OF_93 = {"nse93_panel", "alpha158_nse93_panel", "nse93_sectors_panel", "alpha158_nse93_sectors_panel"}
OF_RETURNS = {
    *("flow", "trend_indicator", "corr_adj", "graph_embeddings"),
    *SELECTED,
    *TRAINED,
    *("backtest_report", "daily_signals", "paper_account", "model_watch"),
}
IN_USE = {"daily_signals", "paper_account", "model_watch"}
# A module, and the artifacts whose version changes with it.
WHOSE = {
    "model/predictions.py": {*TRAINED, *OF_STUDY, "backtest_report", "model_comparison", *IN_USE},
    "model/data.py": {*TRAINED, "daily_signals"},
    "factors/rank_ic.py": {*TRAINED, *OF_STUDY, "backtest_report", "model_watch"},
    "factors/alpha158.py": OF_158,
    "factors/kernels/families.py": OF_158,
    "factors/alpha360.py": {"alpha360_panel"},
    "factors/nse93/compute.py": OF_93,
    "factors/own.py": {"own_panel", "alpha158_own_panel"},
    "factors/panel_file.py": PANELS,
    "factors/panel_reading.py": {*PANELS, *SELECTED, "backtest_report", "study_report", "daily_signals", "model_watch"},
    "factors/registry.py": set(),
    "factors/neutralize.py": {*SELECTED, "corr_adj", "daily_signals", "model_watch"},
    "factors/returns.py": {"returns", *OF_93, *OF_RETURNS},
    "dataset/wavelet.py": {"flow"},
    "dataset/settings.py": {
        *("flow", "corr_adj", "graph_embeddings"),
        *SELECTED,
        *TRAINED,
        *OF_STUDY,
        *("backtest_report", "model_comparison", *IN_USE),
    },
    "experiments/opened.py": OF_RETURNS,
    "experiments/variants.py": REPORTS,
    "experiments/study.py": OF_STUDY,
    "experiments/study_files.py": set(),
    "portfolio/names.py": {*REPORTS, *OF_STUDY, "daily_signals", "model_watch"},
    "experiments/contenders.py": OF_STUDY,
    "portfolio/backtest/engine.py": {"backtest_report", "study_report", *IN_USE},
    # It has the rule, and the settings of an experiment that the others read.
    "portfolio/backtest/strategies/topk_buffer.py": {*REPORTS, *OF_STUDY, *IN_USE, "order_proposal"},
    "portfolio/paper/following.py": {"paper_account"},
    "portfolio/watch/sequence.py": {"model_watch"},
    "portfolio/orders/proposal.py": {"order_proposal"},
    "market/reading.py": set(),
    "portfolio/signals/decision.py": {"daily_signals"},
    "portfolio/report/sections/results.py": {"backtest_report", "study_report"},
    "portfolio/report/sections/study_results.py": {"study_report"},
    "portfolio/evidence/joined.py": OF_STUDY,
    "market/cleaning.py": {"data_quality_report", "market_panel"},
    "market/breaks.py": {"data_quality_report", "market_panel"},
    "market/panel.py": {"market_panel", "data_quality_report", "size_proxy", *PANELS, *OF_RETURNS, "study_report"},
    "market/ingest.py": {"raw_ohlcv"},
    "words.py": set(),
    "market/pictures.py": set(),
    "store/tables.py": set(),
    "defs/results.py": set(),
    "artifacts/model.py": set(),
    # These count with the models.
    "model/training.py": set(),
    "model/trained_baseline.py": set(),
    "model/stockformer.py": set(),
    "model/baselines/stockformer.py": set(),
    "model/baselines/forest.py": set(),
}
# A module, and the models whose version changes with it.
WHOSE_MODEL = {
    "model/baselines/forest.py": {"random_forest"},
    "model/baselines/ranked.py": {"ridge", "gradient_boosting", "lightgbm"},
    "model/baselines/blend.py": {"blend"},
    "model/trained_blend.py": {"blend"},
    "model/baselines/stockformer.py": {"stockformer"},
    "model/stockformer.py": {"stockformer"},
    "model/training.py": NETWORKS,
    "model/trained_network.py": NETWORKS,
    "model/network.py": NETWORKS,
    "model/network_of_parts.py": {"lstm", "gru", "perceptron"},
    "model/trained_baseline.py": ARRAYS,
    "model/data.py": set(MODELS),
    "factors/labels.py": set(MODELS),
    "dataset/windows.py": set(MODELS),
    "dataset/flow.py": set(),
    "defs/bodies/model/training.py": set(),
    "words.py": set(),
    "store/arrays.py": set(),
}


@pytest.mark.parametrize("module", WHOSE)
def test_whose_version_a_module_is_part_of(module: str) -> None:
    assert (PACKAGE / module).is_file()
    assert {name for name, modules in OF.items() if module in modules} == WHOSE[module]


@pytest.mark.parametrize("module", WHOSE_MODEL)
def test_which_models_a_module_makes(module: str) -> None:
    assert (PACKAGE / module).is_file()
    assert {name for name, modules in OF_MODEL.items() if module in modules} == WHOSE_MODEL[module]


@pytest.mark.parametrize("name", [*ROWS, *MODELS])
def test_what_a_module_that_counts_uses_counts_too(name: str) -> None:
    """By what Python has loaded: where each class and function that a module names is from."""
    counted = (OF | OF_MODEL)[name]
    for module in sorted(counted):
        loaded = importlib.import_module(f"niftyformer_assets.{module.removesuffix('.py').replace('/', '.')}")
        for name_there, value in vars(loaded).items():
            # torch.compile leaves modules that it looked into among a function's globals, under such names.
            if name_there.startswith("__"):
                continue
            used = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            file = _file_of(used) if isinstance(used, str) else None
            if file is not None and not _is_not_counted(file):
                assert file.relative_to(PACKAGE).as_posix() in counted, f"{module} uses {used}"


def _file_of(module: str) -> Path | None:
    if module.partition(".")[0] != "niftyformer_assets":
        return None
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)


def test_every_body_is_an_artifacts() -> None:
    bodies = {each for each in BODIES.rglob("*.py") if each.name != "__init__.py"}
    assert {each.relative_to(PACKAGE).as_posix() for each in bodies} <= set().union(*OF.values())


def test_what_does_not_count_is_there_and_would_be_met() -> None:
    """Or its line has become idle."""
    met = set().union(*(sources(BODIES / f"{row.body}.py") for row in ROWS.values()))
    for name in NOT_COUNTED:
        assert any(each == PACKAGE / name or PACKAGE / name in each.parents for each in met), name


def test_the_version_is_of_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS["returns"]
    monkeypatch.setattr("niftyformer_assets.store.provenance.PACKAGE", tmp_path)
    for module in OF["returns"]:
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_bytes((PACKAGE / module).read_bytes())
    version = code_version.__wrapped__
    assert version(*OF["returns"]) == row.code
    with (tmp_path / "factors" / "returns.py").open("a") as file:
        file.write("# more\n")
    assert version(*OF["returns"]) != row.code
