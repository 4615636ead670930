"""Predictions: what is in them, from what they are made, and the checks on them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from niftyformer_assets.model import checks
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.checkpoint import ModelFolder, read_checkpoint
from niftyformer_assets.model.data import Dataset, load_dataset
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.predict import expected_index, predict, predict_each
from niftyformer_assets.model.predictions import by_network, read_predictions
from niftyformer_assets.model.published import write_last_step
from niftyformer_assets.model.trained_things import trained_thing
from niftyformer_assets.model.training import networks, train
from niftyformer_assets.model.written_predictions import write_predictions
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import entered_digests
from niftyformer_assets_tests.model.made_up import PARTS, SESSIONS, SYMBOLS, write_experiment


@pytest.fixture(scope="module")
def model(dataset: Dataset, cpu: Device, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained") / "model"
    train(dataset, folder, cpu)
    return folder


@pytest.fixture(scope="module")
def predictions(model: Path, dataset: Dataset, cpu: Device) -> pd.DataFrame:
    return predict(dataset, model, cpu)


def test_each_row_is_what_the_best_weights_say_of_that_window(
    model: Path, dataset: Dataset, predictions: pd.DataFrame
) -> None:
    network = build_model(dataset)
    network.load_state_dict(read_checkpoint(ModelFolder(model).best)["model"])
    network.eval()
    made = 117
    with torch.no_grad():
        outputs = network(DeviceData(dataset, torch.device("cpu")).inputs(torch.tensor([made])))
    rows = predictions[predictions["date_made"] == pd.Timestamp(str(dataset.axes.dates[made]))]
    assert len(rows) == 2 * dataset.enough[made].sum()
    for row in rows.to_dict("records"):
        place = (0, row["horizon"] - 1, dataset.axes.symbols.index(row["symbol"]))
        assert row["return"] == pytest.approx(float(outputs.value[place]), rel=1e-4, abs=1e-6)
        assert row["p_up"] == pytest.approx(float(outputs.logits.softmax(-1)[place][1]), rel=1e-4)
        assert row["date_predicted"] == pd.Timestamp(str(dataset.axes.dates[made + row["horizon"]]))


def test_columns_parts_and_order(predictions: pd.DataFrame, dataset: Dataset) -> None:
    assert list(predictions.columns) == ["date_made", "date_predicted", "horizon", "symbol", "split", "return", "p_up"]
    ordered = predictions.sort_values(["date_made", "horizon", "symbol"], ignore_index=True)
    pd.testing.assert_frame_equal(predictions, ordered)
    assert (predictions["date_predicted"] > predictions["date_made"]).all()
    assert predictions["p_up"].between(0, 1).all()
    for part, (start, stop) in (*list(PARTS.items())[1:], ("later", (140, SESSIONS))):
        dates = predictions.loc[predictions["split"] == part, "date_predicted"].unique()
        known = dataset.axes.dates[start:stop].astype("datetime64[ns]")
        assert set(known) == set(dates[np.isin(dates, known)])
        assert part == "later" or len(dates) == len(known)


def test_the_last_sessions_predict_sessions_still_to_come(predictions: pd.DataFrame, dataset: Dataset) -> None:
    last = dataset.axes.dates[-1]
    newest = predictions[predictions["date_made"] == pd.Timestamp(str(last))]
    assert set(newest["split"]) == {"later"}
    expected = np.busday_offset(last, [1, 2]).astype("datetime64[ns]")
    assert sorted(newest["date_predicted"].unique()) == list(expected)


def test_training_sessions_only_if_asked_for(model: Path, dataset: Dataset, cpu: Device) -> None:
    rows = predict(dataset, model, cpu, ["train"])
    assert set(rows["split"]) == {"train"}
    late = rows[(rows["symbol"] == "S01") & (rows["date_made"] < pd.Timestamp(str(dataset.axes.dates[53])))]
    assert late.empty  # listed on session 50: enough returns four sessions later


def test_predictions_need_the_model_folder_and_the_data_alone(
    tmp_path: Path, model: Path, dataset: Dataset, predictions: pd.DataFrame, cpu: Device
) -> None:
    for name in ("model.json", "best.pt", "trained.json", "index.json"):
        shutil.copy(model / name, tmp_path / name)
    pd.testing.assert_frame_equal(predict(dataset, tmp_path, cpu), predictions)
    longer = load_dataset(write_experiment(tmp_path / "longer", sessions=SESSIONS + 10))
    more = predict(longer, tmp_path, cpu)
    both = more.merge(predictions, on=["date_made", "horizon", "symbol"], suffixes=("", "_before"))
    assert len(both) == len(predictions)
    np.testing.assert_allclose(both["return"], both["return_before"], rtol=1e-4, atol=1e-6)


def test_a_model_of_other_things_is_refused(model: Path, dataset: Dataset, cpu: Device, tmp_path: Path) -> None:
    with pytest.raises(NiftyFormerError, match=r"factors changed: number 1 is FACTOR0 against A"):
        predict(replace(dataset, factor_names=("A", "B", "C")), model, cpu)
    other = load_dataset(write_experiment(tmp_path / "other", symbols=SYMBOLS + 1))
    with pytest.raises(NiftyFormerError, match=r"symbols changed: 10 against 11"):
        predict(other, model, cpu)
    other = load_dataset(write_experiment(tmp_path / "label", windows={"label": "rank"}))
    with pytest.raises(NiftyFormerError, match=r"windows\.label was return and is rank"):
        predict(other, model, cpu)
    with pytest.raises(NiftyFormerError, match=r"model\.json does not exist"):
        predict(dataset, tmp_path, cpu)


def test_several_networks_predict_their_mean(dataset: Dataset, cpu: Device, tmp_path: Path) -> None:
    several = replace(dataset, settings=dataset.settings.with_training(seeds=2, max_epochs=1))
    single = []
    for network, folder in networks(several, tmp_path):
        train(network, folder, cpu)
        alone = replace(network, settings=network.settings.with_training(seeds=1))
        single.append(predict(alone, folder, cpu))
    mean = predict(several, tmp_path, cpu)
    for column in ("return", "p_up"):
        np.testing.assert_allclose(mean[column], (single[0][column] + single[1][column]) / 2, rtol=1e-6)
    assert not np.allclose(single[0]["return"], single[1]["return"])
    each = predict_each(several, tmp_path, cpu)
    assert list(each["seed"].unique()) == [42, 43]
    for (_, rows), alone in zip(by_network(each), single, strict=True):
        pd.testing.assert_frame_equal(rows.drop(columns="seed").reset_index(drop=True), alone, check_exact=True)
    other = replace(several.settings, seed=43).with_training(learning_rate=0.01)
    network = replace(networks(several, tmp_path)[1][0], settings=other)
    train(network, tmp_path / "seed-43", cpu, restart=True)
    with pytest.raises(NiftyFormerError, match=r"different trainings: training\.learning_rate was 0\.001 and is 0\.01"):
        predict(several, tmp_path, cpu)
    train(networks(several, tmp_path)[1][0], tmp_path / "seed-43", cpu, restart=True)
    (tmp_path / "seed-43" / "best.pt").unlink()
    with pytest.raises(NiftyFormerError, match=r"seed-43.best\.pt"):
        predict(several, tmp_path, cpu)


def test_what_each_network_says_is_written_where_there_are_several(
    dataset: Dataset, cpu: Device, tmp_path: Path
) -> None:
    several = replace(dataset, settings=dataset.settings.with_training(seeds=2, max_epochs=1))
    for network, folder in networks(several, tmp_path / "model"):
        train(network, folder, cpu)
    thing, table, of_networks = trained_thing("stockformer"), tmp_path / "said.parquet", tmp_path / "each.parquet"
    frame = write_predictions(thing, several, tmp_path / "model", lambda _precision: cpu, table, of_networks)
    pd.testing.assert_frame_equal(read_predictions(table), frame)
    each = [rows.reset_index(drop=True) for _, rows in by_network(read_predictions(of_networks))]
    assert len(each) == 2
    for column in ("return", "p_up"):
        np.testing.assert_array_equal(frame[column], (each[0][column] + each[1][column]) / 2)
    # One network has no others beside it, and nothing is left of those that there were.
    alone = replace(several, settings=several.settings.with_training(seeds=1))
    write_predictions(thing, alone, tmp_path / "model", lambda _precision: cpu, table, of_networks)
    pd.testing.assert_frame_equal(read_predictions(table)[each[0].columns.drop("seed")], each[0].drop(columns="seed"))
    assert not of_networks.exists()
    assert set(entered_digests([table, of_networks], tmp_path)) == {"said.parquet"}


def test_predictions_of_a_rank_are_scores(tmp_path: Path, cpu: Device) -> None:
    ranked = load_dataset(write_experiment(tmp_path, windows={"label": "rank"}, training={"max_epochs": 1}))
    train(ranked, tmp_path / "model", cpu)
    rows = predict(ranked, tmp_path / "model", cpu)
    assert "score" in rows and "return" not in rows
    verdict = checks.against_trivial(rows, ranked.labels, ranked.axes)
    assert verdict.figures["accuracy_majority_t2"] == pytest.approx(0.5, abs=0.05)


def test_the_four_csvs_have_dates_and_symbols(
    tmp_path: Path, model: Path, dataset: Dataset, predictions: pd.DataFrame
) -> None:
    files = ModelFolder(tmp_path)
    write_last_step(files, dataset, predictions)
    tables = {
        path.stem.removesuffix("_last_step"): pd.read_csv(path, index_col=0, parse_dates=True)
        for path in files.output.glob("*.csv")
    }
    assert set(tables) == {"classification_pred", "classification_label", "regression_pred", "regression_label"}
    dates = pd.DatetimeIndex(dataset.axes.dates[slice(*PARTS["test"])].astype("datetime64[ns]"))
    for table in tables.values():
        assert list(table.columns) == list(dataset.axes.symbols)
        assert (table.index == dates).all()
    row = predictions[(predictions["split"] == "test") & (predictions["horizon"] == 2)].iloc[37]
    date, symbol = row["date_predicted"], row["symbol"]
    assert tables["regression_pred"].loc[date, symbol] == pytest.approx(row["return"])
    assert tables["classification_pred"].loc[date, symbol] == pytest.approx(row["p_up"])
    labels = np.where(dataset.valid, dataset.returns, np.nan)[slice(*PARTS["test"])]
    np.testing.assert_allclose(tables["regression_label"], labels, rtol=1e-6)
    np.testing.assert_array_equal(tables["classification_label"], np.where(np.isnan(labels), np.nan, labels > 0))


def test_good_predictions_pass_the_checks(predictions: pd.DataFrame, dataset: Dataset) -> None:
    assert checks.not_constant_across_stocks(predictions).passed
    complete = checks.index_complete(predictions, expected_index(dataset))
    assert complete.passed and complete.figures["rows"] == len(predictions)


def test_constant_predictions_are_found(predictions: pd.DataFrame) -> None:
    constant = predictions.copy()
    first = constant["date_made"].iloc[0]
    constant.loc[(constant["date_made"] == first) & (constant["horizon"] == 2), "return"] = 0.25
    verdict = checks.not_constant_across_stocks(constant)
    assert not verdict.passed and verdict.figures["constant"] == 1
    assert str(first.date()) in verdict.sentence


def test_a_collapsed_classifier_is_found(predictions: pd.DataFrame) -> None:
    assert checks.not_one_class(predictions.assign(p_up=np.linspace(0, 1, len(predictions)))).passed
    verdict = checks.not_one_class(predictions.assign(p_up=0.51))
    assert not verdict.passed and verdict.figures == {"share_up_t1": 1.0, "share_up_t2": 1.0}


def test_absent_unexpected_and_double_rows_are_found(predictions: pd.DataFrame, dataset: Dataset) -> None:
    expected = expected_index(dataset)
    renamed = predictions.copy()
    renamed.loc[3, "symbol"] = "NOBODY"
    for rows, figures in (
        (predictions.drop(index=5), (1, 0, 0)),
        (renamed, (1, 1, 0)),
        (pd.concat([predictions, predictions.iloc[[7]]]), (0, 0, 1)),
    ):
        verdict = checks.index_complete(rows, expected)
        found = tuple(verdict.figures[name] for name in ("absent", "unexpected", "duplicated"))
        assert not verdict.passed and found == figures


def test_better_and_worse_than_trivial_is_said(predictions: pd.DataFrame, dataset: Dataset) -> None:
    labels, returns = dataset.labels, np.where(dataset.valid, dataset.returns, np.nan)
    session = pd.Index(dataset.axes.dates).get_indexer(pd.Index(predictions["date_predicted"]))
    stock = pd.Index(dataset.axes.symbols).get_indexer(predictions["symbol"])
    truth = np.where(session >= 0, returns[session, stock], np.nan)
    perfect = predictions.assign(**{"return": np.nan_to_num(truth), "p_up": (truth > 0).astype(float)})
    verdict = checks.against_trivial(perfect, labels, dataset.axes)
    assert verdict.passed and verdict.figures["mae_t2"] == 0 and verdict.figures["accuracy_t1"] == 1
    assert verdict.figures["rank_ic_t1"] == pytest.approx(1)
    wrong = perfect.assign(**{"return": -perfect["return"], "p_up": 1 - perfect["p_up"]})
    verdict = checks.against_trivial(wrong, labels, dataset.axes)
    assert not verdict.passed and verdict.sentence.count("worse than") == 4
    # Zero and the majority themselves are neither better nor worse.
    up = [found > 0.5 for found in (truth[(perfect["horizon"] == h) & np.isfinite(truth)] > 0 for h in (1, 2))]
    trivial = perfect.assign(**{"return": 0.0})
    for horizon, rises in ((1, up[0].mean()), (2, up[1].mean())):
        trivial.loc[trivial["horizon"] == horizon, "p_up"] = float(rises > 0.5)
    verdict = checks.against_trivial(trivial, labels, dataset.axes)
    assert not verdict.passed and verdict.sentence.count("the same as zero's") == 2
    nothing = checks.against_trivial(perfect, replace(labels, array=labels.array * np.nan), dataset.axes)
    assert not nothing.passed and nothing.sentence == "There is no label to compare with."
    test = perfect[perfect["split"] == "test"]
    known = np.isfinite(truth[test.index]) & (test["horizon"] == 1).to_numpy()
    assert verdict.figures["mae_zero_t1"] == pytest.approx(np.abs(truth[test.index][known]).mean())
