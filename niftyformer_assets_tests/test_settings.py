"""Experiment files: what is refused says which key and why; what is taken means what it says."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from niftyformer_assets.experiments.files import experiments_of, find_experiment, load_experiments, read_experiment_file
from niftyformer_assets.experiments.overrides import overridden_name, parse_override, parse_overrides
from niftyformer_assets.settings import PROJECT, read_settings
from niftyformer_assets.store.errors import NiftyFormerError

SESSIONS = {
    "train": {"start": "2022-01-01", "end": "2022-08-31"},
    "validation": {"start": "2022-09-01", "end": "2022-10-31"},
    "test": {"start": "2022-11-01", "end": "2022-12-31"},
}


def written(folder: Path, **content: Any) -> Path:
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump({"market": "simulated", "sessions": SESSIONS} | content))
    return path


def test_the_files_that_come_with_the_project_hold_the_plans_values() -> None:
    experiments = load_experiments(PROJECT / "data" / "experiments")
    assert {"demo", "mvp"} <= experiments.keys()
    mvp = experiments["mvp"]
    assert mvp.market == "real"
    assert (mvp.windows.input_sessions, mvp.windows.output_sessions, mvp.model.width) == (20, 2, 128)
    assert (mvp.training.batch_size, mvp.training.learning_rate, mvp.training.max_epochs) == (12, 1e-3, 100)
    assert (mvp.strategy.top_k, mvp.strategy.rebalance_every, mvp.costs.flat_bps) == (10, 5, 5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"trainnig": {}}, "trainnig: unknown key"),
        ({"training": {"max_epoch": 3}}, r"training\.max_epoch: unknown key"),
        ({"training": {"max_epochs": "3"}}, r"training\.max_epochs: Input should be a valid integer"),
        ({"training": {"max_epochs": 0}}, r"training: batch_size, max_epochs, patience and seeds must be at least 1"),
        ({"windows": {"label": "median"}}, "windows: label 'median' is unknown: choose from return, rank, zscore"),
        (
            {"sessions": SESSIONS | {"test": {"start": "2022-10-31", "end": "2022-12-31"}}},
            "sessions: test starts on 2022-10-31, .* the windows overlap",
        ),
        ({"sessions": SESSIONS | {"tset": {}}}, r"sessions\.tset: unknown key"),
        ({"sessions": {"start": "2022-01-01", "end": "2022-12-31", "ratio": [0.7, 0.2, 0.2]}}, "do not add up to 1"),
        ({"model": {"width": 64}}, r"graph\.dimensions \(128\) must equal model\.width \(64\)"),
        ({"walk_forward": {"windows": 2}}, "walk_forward: unknown key"),
    ],
)
def test_a_wrong_file_is_refused_naming_the_file_the_key_and_the_reason(
    tmp_path: Path, content: dict[str, Any], reason: str
) -> None:
    path = written(tmp_path, **content)
    with pytest.raises(NiftyFormerError, match=rf"x\.yaml: .*{reason}") as caught:
        read_experiment_file(path, {})
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_mapping_or_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for content, reason in (
        ("- a\n", "holds none"),
        ("a: [\n", "not readable as YAML"),
        ("a: 2024-13-01\n", "not readable as YAML: month"),
        ("", "holds none"),
    ):
        path.write_text(content)
        with pytest.raises(NiftyFormerError, match=reason):
            read_experiment_file(path, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1E-4", 1e-4), ("1.e-4", 1e-4), (".5e-3", 5e-4), ("+1e-4", 1e-4), ("1.0e-4", 1e-4), ("2", 2.0)],
)
def test_a_number_is_read_as_people_write_it(tmp_path: Path, text: str, value: float) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + f"training: {{learning_rate: {text}}}\nstrategy: {{capital: 10_00_000}}\n")
    experiment = read_experiment_file(path, {})
    assert (experiment.training.learning_rate, experiment.strategy.capital) == (value, 1_000_000)
    assert parse_override(f"training.learning_rate={text}") == ("training.learning_rate", value)


@pytest.mark.parametrize("text", ["010", "08", "0x1F", "0o17", "0b11", "1:30", "1_0:30", "-010", "00"])
def test_a_number_that_yaml_and_people_read_differently_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = written(tmp_path)
    before = path.read_text()
    for key in ("seed: {}", "training: {{max_epochs: {}}}", "training: {{learning_rate: {}}}"):
        path.write_text(before + key.format(text) + "\n")
        name = {"s": "seed", "t": r"training\.\w+"}[key[0]]
        with pytest.raises(NiftyFormerError, match=rf"x\.yaml: {name}: .*{text} may be read as more than one"):
            read_experiment_file(path, {})
    with pytest.raises(NiftyFormerError, match=rf"seed: .*{text} may be read"):
        read_experiment_file(written(tmp_path), dict([parse_override(f"seed={text}")]))


def test_what_is_no_odd_number_is_refused_in_plain_words(tmp_path: Path) -> None:
    for text in ('"3"', "three", ".nan", ".inf", "5.0"):
        path = written(tmp_path)
        path.write_text(path.read_text() + f"training: {{max_epochs: {text}}}\n")
        with pytest.raises(NiftyFormerError, match=r"training\.max_epochs: Input should be a valid integer$"):
            read_experiment_file(path, {})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("seed: 1\nseed: 2\n", "seed"),
        ("seed: 1\n'seed': 1\n", "seed"),
        ("training: {patience: 1, max_epochs: 2, patience: 3}\n", "patience"),
        ("training: {patience: 1}\nstrategy: {top_k: 3}\ntraining: {max_epochs: 2}\n", "training"),
    ],
)
def test_a_key_given_twice_is_refused_by_name(tmp_path: Path, text: str, key: str) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + text)
    with pytest.raises(NiftyFormerError, match=rf"x\.yaml .*{key} is given twice .*line \d+") as caught:
        read_experiment_file(path, {})
    assert "\n" not in str(caught.value)


def test_overrides_are_checked_like_the_file_and_recorded(tmp_path: Path) -> None:
    path = written(tmp_path)
    key, value = parse_override("training.max_epochs=2")
    experiment = read_experiment_file(path, {key: value})
    assert experiment.training.max_epochs == 2
    assert experiment.overrides == {"training.max_epochs": 2}
    with pytest.raises(NiftyFormerError, match=r"training\.epochs: unknown key"):
        read_experiment_file(path, {"training.epochs": 2})
    with pytest.raises(NiftyFormerError, match=r"write it as section\.key=value"):
        parse_override("training.max_epochs")
    assert parse_overrides(["seed=1", "training.max_epochs=2"]) == {"seed": 1, "training.max_epochs": 2}
    with pytest.raises(NiftyFormerError, match="--set seed is given twice"):
        parse_overrides(["seed=1", "seed=2"])


def test_with_overrides_an_experiment_has_a_key_of_its_own_beside_that_of_the_file(tmp_path: Path) -> None:
    written(tmp_path)
    settings = read_settings(_env_file=None, experiments=tmp_path, workspace_name="demo", overrides={"seed": 7})
    named = overridden_name("x", {"seed": 7})
    assert re.fullmatch(r"x-set-[0-9a-f]{6}", named)
    assert list(experiments_of(settings)) == ["x", named]
    # The file's own experiment is never another one under its name.
    assert find_experiment(settings, "x").seed == 42 and find_experiment(settings, "x").overrides == {}
    assert find_experiment(settings, named).seed == 7
    assert find_experiment(settings, named).summary.endswith("seed 7, with seed=7 instead of the file's")
    values = ({}, {"seed": 7}, {"seed": 8}, {"seed": 7, "training.max_epochs": 2})
    assert len({overridden_name("x", given) for given in values}) == len(values)
    both = {"training.max_epochs": 2, "seed": 7}
    assert overridden_name("x", both) == overridden_name("x", dict(reversed(both.items())))
    wrong = settings.model_copy(update={"overrides": {"training.epochs": 2}})
    assert list(experiments_of(wrong)) == ["x"]
    with pytest.raises(NiftyFormerError, match=r"training\.epochs: unknown key"):
        find_experiment(wrong, overridden_name("x", wrong.overrides))


def test_an_experiment_of_the_other_market_says_which_workspace_to_choose(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "mine.yaml").write_text((tmp_path / "x.yaml").read_text().replace("simulated", "real"))
    with_key = read_settings(_env_file=None, experiments=tmp_path, kite_api_key="key")
    with pytest.raises(NiftyFormerError, match=r"NIFTYFORMER_WORKSPACE=demo, or one of mine$"):
        find_experiment(with_key, "x")
    without = read_settings(_env_file=None, experiments=tmp_path, workspace_name="demo")
    with pytest.raises(NiftyFormerError, match=r"NIFTYFORMER_WORKSPACE=nifty200 .* or --replay FOLDER"):
        find_experiment(without, "mine")
    for name in ("../x", "X", "a b", "a...b"):
        with pytest.raises(NiftyFormerError, match=r"choose one of x, or write .*/NAME\.yaml"):
            find_experiment(without, name)


def test_only_experiments_of_the_active_market_are_keys(tmp_path: Path) -> None:
    written(tmp_path)
    assert list(load_experiments(tmp_path, market="simulated")) == ["x"]
    assert list(load_experiments(tmp_path, market="real")) == []


def test_the_workspace_follows_from_what_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KITE_API_KEY", "NIFTYFORMER_WORKSPACE", "NIFTYFORMER_REPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert read_settings(_env_file=None).workspace.name == "demo"
    assert read_settings(_env_file=None, replay=tmp_path).workspace.name == "replay"
    monkeypatch.setenv("KITE_API_KEY", "key")
    settings = read_settings(_env_file=None)
    assert (settings.workspace.name, settings.source, settings.market) == ("nifty200", "zerodha", "real")
    with pytest.raises(NiftyFormerError, match="for Zerodha's own candles"):
        read_settings(_env_file=None, workspace_name="nifty200", replay=tmp_path)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "very-secret")
    settings = read_settings(_env_file=None)
    assert settings.kite_access_token is not None
    assert "very-secret" not in repr(settings) + settings.model_dump_json()


def test_index_lists_are_one_several_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    for name in ("b.csv", "a.csv", "notes.txt"):
        (folder / name).write_text("")
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    monkeypatch.setenv("NIFTYFORMER_INDEX_LIST", os.pathsep.join(map(str, (one, folder, other))))
    settings = read_settings(_env_file=None, replay=tmp_path)
    assert settings.given_lists == [one, folder / "a.csv", folder / "b.csv", other]
    assert read_settings(_env_file=None, replay=tmp_path, index_list=[other]).given_lists == [other]
    monkeypatch.delenv("NIFTYFORMER_INDEX_LIST")
    assert read_settings(_env_file=None, replay=tmp_path).given_lists == []
    assert read_settings(_env_file=None, replay=tmp_path, index_list=one).given_lists == [one]


def test_the_settings_of_orders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HOLDINGS": "kite", "KEEP": "m&m, SBIN,", "NO_TRADE": "/x.csv", "CASH": "1000", "SELL_OTHERS": "true"}
    for name, value in given.items():
        monkeypatch.setenv(f"NIFTYFORMER_ORDERS__{name}", value)
    orders = read_settings(_env_file=None).orders
    assert (orders.holdings, orders.kept, orders.no_trade) == ("kite", {"M&M", "SBIN"}, Path("/x.csv"))
    assert (orders.cash, orders.sell_others) == (1000.0, True)
    monkeypatch.setenv("NIFTYFORMER_ORDERS__PRICE_BAND", "2")
    with pytest.raises(NiftyFormerError, match="orders: price_band must be at least 0"):
        read_settings(_env_file=None)
