"""Which settings decide on what is made, by the model that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from niftyformer_assets.artifacts import deciding_settings
from niftyformer_assets.defs.made_with import fitting, must_be_made_with
from niftyformer_assets.defs.resources import GpuResource
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import find_experiment, find_study, read_experiment_file
from niftyformer_assets.experiments.study import Study
from niftyformer_assets.model.trained_things import trained_thing
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import entered_digests, write_entered
from niftyformer_assets.store.provenance import Provenance
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, tiny_settings


def experiment(folder: Path, **overrides: Any) -> Experiment:
    (folder / "tiny.yaml").write_text(TINY_EXPERIMENT)
    return read_experiment_file(folder / "tiny.yaml", {key.replace("__", "."): v for key, v in overrides.items()})


OF_OTHERS = {
    "stockformer": {"baselines__trees": 7, "baselines__ridge_penalty": 3.0, "strategy__top_k": 4},
    "ridge": {"baselines__trees": 7, "training__patience": 9, "model__layers": 2, "graph__walks": 3},
    "random_forest": {"baselines__ridge_penalty": 3.0, "training__seeds": 2, "wavelet__level": 2},
    "gru": {"baselines__names": ["zero"], "model__heads": 2, "training__max_epochs": 9},
}
OWN = {
    "stockformer": {"model__layers": 2, "training__patience": 9, "graph__walks": 3, "seed": 7},
    "ridge": {"baselines__ridge_penalty": 3.0, "windows__label": "return", "seed": 7, "model__name": "zero"},
    "random_forest": {"baselines__trees": 7, "factors__ic_threshold": 0.1},
    "gru": {"baselines__epochs": 4, "baselines__recurrent_width": 8},
}


@pytest.mark.parametrize("asset", ["trained_model", "predictions"])
@pytest.mark.parametrize("name", OWN)
def test_settings_of_the_chosen_model_decide_and_those_of_others_do_not(name: str, asset: str, tmp_path: Path) -> None:
    before = deciding_settings(experiment(tmp_path, model__name=name), asset)
    for key, value in OF_OTHERS[name].items():
        assert deciding_settings(experiment(tmp_path, **{"model__name": name, key: value}), asset) == before, key
    for key, value in OWN[name].items():
        assert deciding_settings(experiment(tmp_path, **{"model__name": name, key: value}), asset) != before, key


def test_the_stockformers_settings_decide_on_the_baselines_where_it_is_one(tmp_path: Path) -> None:
    def decided(names: list[str], **changed: Any) -> dict[str, Any]:
        given = {"model__name": "ridge", "baselines__names": names, **changed}
        return deciding_settings(experiment(tmp_path, **given), "baseline_predictions")

    of_stockformer = {"model__layers": 2, "training__patience": 9, "graph__walks": 3, "wavelet__level": 2}
    for key, value in of_stockformer.items():
        assert decided(["stockformer", "zero"], **{key: value}) != decided(["stockformer", "zero"]), key
        assert decided(["lstm", "zero"], **{key: value}) == decided(["lstm", "zero"]), key
    for key, value in {"strategy__top_k": 4, "model__name": "momentum"}.items():
        assert decided(["stockformer", "zero"], **{key: value}) == decided(["stockformer", "zero"]), key


def test_what_is_small_asks_for_no_gpu() -> None:
    gpu = GpuResource(cpu_allowed=False)
    for name in ("lstm", "gru", "ridge"):
        assert gpu.chooser(trained_thing(name))("float32").precision == "float32"
    if torch.cuda.is_available():
        assert gpu.chooser(trained_thing("stockformer"))("float32").kind == "cuda"
    else:
        with pytest.raises(NiftyFormerError, match="no GPU to train on"):
            gpu.chooser(trained_thing("stockformer"))("float32")


def test_a_model_is_no_rival_of_itself(tmp_path: Path) -> None:
    assert experiment(tmp_path).rivals[:2] == ("ridge", "reversal")
    ridge = experiment(tmp_path, model__name="ridge")
    assert "ridge" not in ridge.rivals and len(ridge.rivals) == len(experiment(tmp_path).rivals) - 1
    with pytest.raises(NiftyFormerError, match=r"baselines\.names has no baseline beside the model"):
        experiment(tmp_path, model__name="ridge", baselines__names=["ridge"])
    with pytest.raises(NiftyFormerError, match=r"no model 'xgboost': choose from stockformer, "):
        experiment(tmp_path, model__name="xgboost")


def test_a_model_made_before_there_was_a_choice_is_the_stockformers(tmp_path: Path) -> None:
    made = experiment(tmp_path)
    settings = deciding_settings(made, "trained_model")
    del settings["model"]["name"]
    folder = ExperimentFolder(tmp_path / "tiny")
    folder.model.mkdir(parents=True)
    write_entered(folder.model / "model.json", "{}")
    outputs = entered_digests([folder.model / "model.json"], folder.root)
    Provenance("trained_model", settings, "0", {}, outputs).write(folder.provenance)
    must_be_made_with(made, folder, ["trained_model"])
    with pytest.raises(NiftyFormerError, match=r"made with model\.name stockformer \(the experiment has ridge\)"):
        must_be_made_with(experiment(tmp_path, model__name="ridge"), folder, ["trained_model"])


def test_a_setting_that_came_later_refuses_nothing_with_its_default(tmp_path: Path) -> None:
    made = experiment(tmp_path)
    folder = ExperimentFolder(tmp_path / "tiny")
    write_entered(folder.corr_adj, b"made")
    settings = deciding_settings(made, "corr_adj")
    del settings["graph"]["source"]
    outputs = entered_digests([folder.corr_adj], folder.root)
    Provenance("corr_adj", settings, "0", {}, outputs).write(folder.provenance)
    must_be_made_with(made, folder, ["corr_adj"])
    with pytest.raises(NiftyFormerError, match=r"made with graph\.source returns \(the experiment has factors\)"):
        must_be_made_with(experiment(tmp_path, graph__source="factors"), folder, ["corr_adj"])


@pytest.mark.parametrize("asset", ["corr_adj", "graph_embeddings"])
@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        # The whole stays the same; the graph would have seen sessions that are validation now.
        ("end: 2022-09-30}", "end: 2022-08-31}", "sessions.train.end"),
        ("ic_threshold: 0.05", "ic_threshold: 0.04", "factors.ic_threshold"),
    ],
)
def test_a_graph_of_other_sessions_or_factors_is_refused(
    tmp_path: Path, asset: str, before: str, now: str, said: str
) -> None:
    settings = tiny_settings(tmp_path)
    path, folder = settings.experiments / "tiny.yaml", settings.workspace.experiment("tiny")
    text = path.read_text().replace("graph: {", "graph: {source: factors, ")
    path.write_text(text)
    experiment = find_experiment(settings, "tiny")
    write_entered(folder.corr_adj, b"made")
    outputs = entered_digests([folder.corr_adj], folder.root)
    Provenance(asset, deciding_settings(experiment, asset), "code", {}, outputs).write(folder.provenance)
    must_be_made_with(experiment, folder, [asset])
    assert text.count(before) == 1
    path.write_text(text.replace(before, now))
    with pytest.raises(NiftyFormerError, match=f"{asset} of tiny was made with {said}"):
        must_be_made_with(find_experiment(settings, "tiny"), folder, [asset])


def test_without_a_record_nothing_is_taken_for_granted(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    with pytest.raises(NiftyFormerError, match="materialize flow"):
        must_be_made_with(find_experiment(settings, "tiny"), settings.workspace.experiment("tiny"), ["flow"])


def with_report(of: Experiment, folder: ExperimentFolder, **changed: Any) -> ExperimentFolder:
    """Something recorded as the report of an experiment, whose settings were these."""
    write_entered(folder.backtest / "metrics.json", of.name)
    outputs = entered_digests([folder.backtest / "metrics.json"], folder.root)
    Provenance("backtest_report", {**of.values(), **changed}, "0", {}, outputs).write(folder.provenance)
    return folder


def test_of_many_experiments_those_that_fit_are_told_from_the_others(tmp_path: Path) -> None:
    workspace = tiny_settings(tmp_path).workspace
    names = ("fits", "reseeded", "copied", "swapped", "never_run")
    experiments = {name: experiment(tmp_path).model_copy(update={"name": name}) for name in names}
    folders = {name: workspace.experiment(name) for name in names}
    with_report(experiments["fits"], folders["fits"])
    with_report(experiments["reseeded"], folders["reseeded"], seed=7)
    with_report(experiments["fits"], folders["copied"])
    write_entered(with_report(experiments["swapped"], folders["swapped"]).backtest / "metrics.json", "another")
    found = fitting(experiments, workspace, ["backtest_report"])
    assert found.experiments == {"fits": experiments["fits"]}
    assert {name: reason.replace(str(workspace.root), "") for name, reason in found.others.items()} == {
        "reseeded": "backtest_report of reseeded was made with seed 7 (the experiment has 42): materialize it again, "
        "with what it is made from, or change the experiment back.",
        "copied": "the backtest_report in /experiments/copied is that of fits: materialize backtest_report of copied.",
        "swapped": "/experiments/swapped/backtest/metrics.json is not the file that the record of backtest_report "
        "describes: its making was cut off, or another file was put in its place. Materialize backtest_report again.",
        "never_run": "/experiments/never_run has no backtest_report with a record of its making: materialize "
        "backtest_report.",
    }


STUDY = "experiment: tiny\nseeds: 2\nwalk_forward: {first_test: 2022-09-01, train_months: 5}\n"


@pytest.mark.parametrize(
    ("section", "before", "said"),
    [
        ("study", {"seeds": 3}, r"study\.seeds 3 \(the study has 2\)"),
        ("study", {"judge": "ridge"}, r"study\.judge ridge \(the study has \)"),
        ("study", {"of_an_earlier_version": 1}, r"study\.of_an_earlier_version 1 \(the study has None\)"),
        ("experiment", {"seed": 7}, r"experiment\.seed 7 \(the study has 42\)"),
    ],
)
def test_what_was_made_of_a_study_that_was_set_otherwise_is_refused(
    tmp_path: Path, section: str, before: dict[str, Any], said: str
) -> None:
    study, folder = recorded_study(tmp_path, lambda values: values[section].update(before))
    with pytest.raises(NiftyFormerError, match=rf"study_predictions of wf was made with {said}: .* change the study"):
        must_be_made_with(study, folder, ["study_predictions"])


def test_settings_that_came_later_refuse_nothing_of_a_study_with_their_defaults(tmp_path: Path) -> None:
    def of_an_earlier_version(values: dict[str, Any]) -> None:
        del values["study"]["judge"], values["study"]["walk_forward"]["training"]
        del values["experiment"]["model"]["name"], values["experiment"]["baselines"]["ridge_penalty"]

    study, folder = recorded_study(tmp_path, of_an_earlier_version)
    must_be_made_with(study, folder, ["study_predictions"])


def recorded_study(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> tuple[Study, StudyFolder]:
    """A study, and a folder with scores that are recorded as joined when it was set otherwise."""
    settings = tiny_settings(tmp_path)
    settings.studies.mkdir()
    (settings.studies / "wf.yaml").write_text(STUDY)
    study, folder = find_study(settings, "wf"), settings.workspace.study("wf")
    values = study.values()
    change(values)
    write_entered(folder.predictions, b"made")
    outputs = entered_digests([folder.predictions], folder.root)
    Provenance("study_predictions", values, "0", {}, outputs).write(folder.provenance)
    return study, folder
