"""Arrays keep their sessions and symbols, or are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from niftyformer_assets.store.arrays import Axes, enter_in_index, load_arrays, read_in_index, save_arrays
from niftyformer_assets.store.errors import NiftyFormerError

AXES = Axes(np.array(["2022-01-03", "2022-01-04", "2022-01-05"], dtype="datetime64[D]"), ("A", "B&C"))


def saved(folder: Path) -> Path:
    path = folder / "flow.npz"
    save_arrays(path, {"result": np.arange(6.0).reshape(3, 2)}, AXES, {"result": "TN"})
    return path


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    arrays, axes = load_arrays(saved(tmp_path), AXES)
    assert axes == AXES
    np.testing.assert_array_equal(arrays["result"], np.arange(6.0).reshape(3, 2))


def test_a_bare_npy_holds_the_array_alone(tmp_path: Path) -> None:
    path = tmp_path / "corr_adj.npy"
    save_arrays(path, {"corr_adj": np.eye(2)}, AXES, {"corr_adj": "NN"})
    np.testing.assert_array_equal(np.load(path), np.eye(2))
    np.testing.assert_array_equal(load_arrays(path)[0]["corr_adj"], np.eye(2))


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert saved(tmp_path / "a").read_bytes() == saved(tmp_path / "b").read_bytes()
    assert (tmp_path / "a/index.json").read_bytes() == (tmp_path / "b/index.json").read_bytes()


def test_a_shuffled_array_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "result": arrays["result"][:, ::-1]})
    with pytest.raises(
        NiftyFormerError, match=r"flow\.npz is damaged: it is not the file that .*index\.json describes"
    ):
        load_arrays(path)


def test_a_re_dated_index_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    index["dates"][2] = "2022-01-06"
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(NiftyFormerError, match=r"index\.json is damaged \(its content does not fit its seal\)"):
        load_arrays(path)
    del index["seal"]  # as earlier versions wrote it
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(NiftyFormerError, match=r"disagree: session 2 is 2022-01-05 against 2022-01-06"):
        load_arrays(path)


def test_a_shortened_bare_array_is_refused_even_with_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "corr_adj.npy"
    save_arrays(path, {"corr_adj": np.eye(2)}, AXES, {"corr_adj": "NN"})
    np.save(path, np.eye(1))
    enter_in_index(tmp_path, AXES, {path.name: {"corr_adj": "NN"}})
    with pytest.raises(NiftyFormerError, match=r"corr_adj\.npy is damaged .*shape \(1, 1\)"):
        load_arrays(path)


def test_other_axes_than_expected_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(NiftyFormerError, match="symbol 1 is B&C against C"):
        load_arrays(path, Axes(AXES.dates, ("A", "C")))
    with pytest.raises(NiftyFormerError, match="3 sessions against 2"):
        load_arrays(path, Axes(AXES.dates[:2], AXES.symbols))


def test_new_axes_make_older_files_stale(tmp_path: Path) -> None:
    path = saved(tmp_path)
    other = Axes(AXES.dates, ("A", "C"))
    save_arrays(tmp_path / "corr_adj.npy", {"corr_adj": np.eye(2)}, other, {"corr_adj": "NN"})
    with pytest.raises(NiftyFormerError, match="was made on other sessions or symbols"):
        load_arrays(path)


def test_a_matrix_file_of_a_subfolder_is_checked(tmp_path: Path) -> None:
    csv = tmp_path / "factors" / "ROC5.csv"
    csv.parent.mkdir()
    csv.write_text("date,A,B&C\n")
    enter_in_index(tmp_path, AXES, {"factors/ROC5.csv": {"ROC5": "TN"}})
    assert read_in_index(csv, AXES, folder=tmp_path)[2] == {"ROC5": "TN"}
    csv.write_text("date,B&C,A\n")
    with pytest.raises(NiftyFormerError, match=r"ROC5\.csv is damaged: it is not the file"):
        read_in_index(csv, folder=tmp_path)


def test_a_shape_that_does_not_fit_is_a_defect(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit 'TN'"):
        save_arrays(tmp_path / "x.npz", {"result": np.zeros((2, 3))}, AXES, {"result": "TN"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = saved(tmp_path)
    path.write_bytes(content)
    enter_in_index(tmp_path, AXES, {path.name: {"result": "TN"}})
    with pytest.raises(NiftyFormerError, match=r"flow\.npz is damaged"):
        load_arrays(path)


def test_axes_must_increase_and_be_distinct() -> None:
    with pytest.raises(ValueError, match="strictly increasing"):
        Axes(AXES.dates[::-1], AXES.symbols)
    with pytest.raises(ValueError, match="distinct"):
        Axes(AXES.dates, ("A", "A"))
