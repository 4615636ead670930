"""Every kind of artifact, as `store/workspace.py` names them, with the assets that read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attacks.scene import EXPERIMENT, PAIR, contents, settings_in
from niftyformer_assets.artifacts import artifacts as rows_of_artifacts
from niftyformer_assets.defs import build
from niftyformer_assets.model.checkpoint import ModelFolder
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder, Workspace

# Which asset writes what a property of the workspace or of an experiment's folder names. Its readers are those that
# the graph has after it. A property that is not here is an artifact that nobody has thought of attacking.
WRITTEN_BY = {
    "universe": "universe",
    "sector_dummies": "sector_dummies",
    "raw": "raw_ohlcv",
    "benchmark_index": "benchmark_index",
    "data_quality_report": "data_quality_report",
    "data_quality_text": "data_quality_report",
    "market_panel": "market_panel",
    "size_proxy": "size_proxy",
    "returns": "returns",
    "comparison_csv": "model_comparison",
    "comparison_html": "model_comparison",
    "ic_summary": "ic_summary",
    "selected_factors": "ic_summary",
    "factors": "neutralized_factors",
    "neutralized_factors": "neutralized_factors",
    "flow": "flow",
    "trend_indicator": "trend_indicator",
    "corr_adj": "corr_adj",
    "corr_graph": "corr_adj",
    "graph_embeddings": "graph_embeddings",
    "model": "trained_model",
    "predictions": "predictions",
    "network_predictions": "predictions",
    "baseline_predictions": "baseline_predictions",
    "backtest": "backtest_report",
    "alpha158": "alpha158_panel",
    "signals": "daily_signals",
    "paper_account": "paper_account",
    "model_watch": "model_watch",
    "model_drift": "model_watch",
    "orders": "order_proposal",
}
# The same of the study, and of what its experiment took over or has more; read for the study or its experiment.
OF_PAIR = {
    "study predictions": "study_predictions",
    "study contenders": "study_predictions",
    "study report": "study_report",
    "pair's predictions": "predictions",
    "pair's network_predictions": "predictions",
    "pair's baseline_predictions": "baseline_predictions",
}
# What no asset hands to another, by who reads it: records, what tells arrays apart, and what a person or a server gave.
READ_BY = {
    "workspace provenance": (),
    "experiment provenance": ("trained_model", "predictions", "baseline_predictions", "backtest_report"),
    "tries": ("backtest_report",),
    "index_lists": ("universe",),
    "settings": ("trained_model", "predictions", "baseline_predictions"),
    "stockformer_conf": (),
    "workspace index.json": ("returns", "size_proxy", "flow", "alpha158_panel"),
    "experiment index.json": ("trained_model", "predictions", "baseline_predictions"),
    "source.txt": ("raw_ohlcv",),
    "held_back": ("raw_ohlcv",),
    "set_aside": (),
    "made": ("flow",),
    "rivals": ("baseline_predictions",),
    "study provenance": ("study_report",),
    "study index.json": ("study_report",),
}
# They read what they wrote before.
GO_ON = {"raw_ohlcv", "trained_model", "paper_account"}
# Nothing of them is there unless something else went wrong before, or an experiment has several networks.
MAY_BE_ABSENT = {"held_back", "set_aside", "network_predictions"}
# Nor of these where nobody has asked for a study.
OF_STUDIES = {*OF_PAIR, "study provenance", "study index.json"}
# Or differ each time, as the notes of how long something took and the log that shows them.
NO_ARTIFACTS = {
    "root",
    "provenance",
    "tensorboard",
    "lock",
    "locks",
    "notes",
    "experiment_log_csv",
    "experiment_log_html",
}
# Methods that name files, each attacked by a name above, or of no file that is read.
METHODS = {
    *("candles", "factor_panel", "experiment", "symbol_of", "held_back", "new_set_aside", "experiment_lock"),
    *("study", "made", "making_lock", "rival", "signal", "orders_page", "orders_table"),
}


@dataclass(frozen=True)
class Artifact:
    """The files of one artifact, relative to the folder of all workspaces, and the assets that read them.

    of: the experiment, or the study, that those readers are of which are of one.
    """

    name: str
    files: tuple[str, ...]
    readers: tuple[str, ...]
    of: str = EXPERIMENT


def artifacts(folder: Path) -> tuple[list[Artifact], list[str]]:
    """The artifacts of the scene in `folder`, and what of it or of `workspace.py` is known to nobody here."""
    settings = settings_in(folder)
    workspace, experiment = settings.workspace, settings.workspace.experiment(EXPERIMENT)
    study, pair = workspace.study(PAIR), workspace.experiment(PAIR)
    graph = build(settings).resolve_asset_graph()
    children = {
        key.to_user_string(): tuple(sorted(child.to_user_string() for child in graph.get(key).child_keys))
        for key in graph.get_all_asset_keys()
    }
    scopes = {name: row.scope for name, row in rows_of_artifacts().items()}
    of_pair = {
        "study predictions": study.predictions,
        "study contenders": study.contenders,
        "study report": study.report,
        "study provenance": study.provenance,
        "study index.json": study.root / "index.json",
        "pair's predictions": pair.predictions,
        "pair's network_predictions": pair.network_predictions,
        "pair's baseline_predictions": pair.baseline_predictions,
    }
    named = {
        "workspace provenance": workspace.provenance,
        "experiment provenance": experiment.provenance,
        "workspace index.json": workspace.root / "index.json",
        "experiment index.json": experiment.root / "index.json",
        "source.txt": workspace.root / "source.txt",
        "held_back": workspace.root / "held_back",
        "made": workspace.root / "made",
        "alpha158": workspace.factor_panel("alpha158"),
        **_paths(workspace),
        **_paths(experiment),
        **of_pair,
    }
    files = {f"{path}": content for path, content in contents(settings.data).items()}
    found, unknown, left = [], [], set(files)
    for name, path in named.items():
        place = path.relative_to(settings.data).as_posix()
        mine = tuple(file for file in files if file == place or file.startswith(f"{place}/"))
        left -= set(mine)
        if not mine and name not in MAY_BE_ABSENT | (set() if study.root.is_dir() else OF_STUDIES):
            unknown.append(f"{name}, of which there is no file")
        elif name in OF_PAIR:
            readers = tuple(reader for reader in children[OF_PAIR[name]] if scopes[reader] in ("experiment", "study"))
            found.append(Artifact(name, mine, readers, PAIR))
        elif name in WRITTEN_BY:
            asset = WRITTEN_BY[name]
            readers = tuple(reader for reader in children[asset] if scopes[reader] != "study")
            found.append(Artifact(name, mine, readers + ((asset,) if asset in GO_ON else ())))
        elif name in READ_BY:
            found.append(Artifact(name, mine, READ_BY[name], PAIR if name in of_pair else EXPERIMENT))
        else:
            unknown.append(f"{name} of store/workspace.py")
    # The study's experiment has what the other has, and is attacked where it differs.
    left = {file for file in left if not file.startswith(f"{pair.root.relative_to(settings.data).as_posix()}/")}
    unknown += [f"{path.name} of StudyFolder" for path in _paths(study).values() if path not in of_pair.values()]
    for named_by in (Workspace, ExperimentFolder, StudyFolder):
        methods = {name for name, member in vars(named_by).items() if callable(getattr(member, "__func__", member))}
        unknown += [f"{name}() of store/workspace.py" for name in methods - METHODS if not name.startswith("_")]
    parts = {"index.json", *(path.name for path in _paths(ModelFolder(experiment.model)).values())}
    unknown += [
        f"{file}, of no part of ModelFolder" for file in files if _strange(file, experiment, settings.data, parts)
    ]
    return found, unknown + sorted(left)


def _paths(named: object) -> Mapping[str, Path]:
    """What the properties of a class of folders name."""
    members = {name for name, member in vars(type(named)).items() if isinstance(member, property)} - NO_ARTIFACTS
    return {name: path for name in sorted(members) if isinstance(path := getattr(named, name), Path)}


def _strange(file: str, experiment: ExperimentFolder, data: Path, parts: set[str]) -> bool:
    model = experiment.model.relative_to(data).as_posix()
    return file.startswith(f"{model}/") and file.removeprefix(f"{model}/").split("/")[0] not in parts
