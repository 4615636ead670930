from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.dataset.windows import Samples, following, inference_samples, samples, sliding_windows
from niftyformer_assets.factors.labels import Labels, Outcomes
from niftyformer_assets.market.split import PARTS, Period, Split, SplitByDate, SplitByRatio
from niftyformer_assets.store.errors import NiftyFormerError

from .made_up import SESSIONS, SPLIT, axes, returns

WINDOWS = WindowSettings(input_sessions=20, output_sessions=2)


def test_windows_are_views() -> None:
    array = np.arange(30.0 * 4 * 3).reshape(30, 4, 3)
    view = sliding_windows(array, 20)
    assert view.shape == (11, 20, 4, 3)
    assert np.shares_memory(view, array)
    assert not view.flags.writeable
    np.testing.assert_array_equal(view[5], array[5:25])


def test_samples_are_views_that_see_up_to_their_session_and_predict_the_next() -> None:
    array = np.arange(SESSIONS, dtype=float)[:, None] * np.ones(3)
    labels = Labels.of(WINDOWS.labels, Outcomes(array)).array
    for part in samples(SPLIT, WINDOWS).values():
        inputs = part.inputs(array)
        assert np.shares_memory(inputs, array)
        np.testing.assert_array_equal(inputs[:, -1, 0], part.made_on)
        np.testing.assert_array_equal(inputs[:, 0, 0], part.made_on - 19)
        np.testing.assert_array_equal(labels[part.made_on][:, :, 0], part.known_on)
        np.testing.assert_array_equal(part.known_on[:, 0], part.made_on + 1)


@pytest.mark.parametrize(
    "split",
    [
        SplitByDate(
            Period(date(2022, 1, 3), date(2022, 4, 30)),
            Period(date(2022, 5, 1), date(2022, 5, 31)),
            Period(date(2022, 6, 1), date(2022, 6, 30)),
        ),
        SplitByRatio(date(2022, 1, 3), date(2022, 6, 30), (0.75, 0.125, 0.125)),
    ],
    ids=["dates", "ratio"],
)
def test_no_label_is_in_two_parts_and_windows_reach_back(split: SplitByDate | SplitByRatio) -> None:
    _, parts = split.resolve(axes().dates)
    made = samples(parts, WINDOWS)
    used: dict[int, str] = {}
    for name in PARTS:
        place = getattr(parts, name)
        for session in np.unique(made[name].known_on):
            assert place.start <= session < place.stop
            assert used.setdefault(int(session), name) == name
    # Unlike in the published code, validation and test lose no session at their start.
    for name in ("validation", "test"):
        place = getattr(parts, name)
        assert made[name].start == place.start - 1
        assert set(made[name].known_on.ravel()) == set(range(place.start, place.stop))


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=4, max_size=4), st.integers(2, 12), st.integers(1, 4), st.integers(0, 3))
def test_any_split_either_names_the_part_without_a_sample_or_keeps_labels_apart(
    counts: list[int], input_sessions: int, output_sessions: int, gap: int
) -> None:
    starts = np.cumsum([0, *(count + gap for count in counts[:-1])]).tolist()
    split = Split(*(slice(start, start + count) for start, count in zip(starts, counts, strict=True)))
    windows = WindowSettings(input_sessions, output_sessions)
    first = [max(start - 1, input_sessions - 1) for start in starts]
    fits = [start + count - output_sessions > begin for start, count, begin in zip(starts, counts, first, strict=True)]
    if not all(fits[:3]):
        with pytest.raises(NiftyFormerError, match=f"the {PARTS[fits.index(False)]} part"):
            samples(split, windows)
        return
    used: set[int] = set()
    for name, part in samples(split, windows).items():
        labels = set(part.known_on.ravel().tolist())
        assert all(split.part_of(session) == name for session in labels)
        assert not labels & used
        assert len(part) == 0 or part.start >= input_sessions - 1
        used |= labels


def test_every_window_that_fits_gets_a_prediction_and_each_predicted_session_has_its_part() -> None:
    every = inference_samples(SESSIONS, WINDOWS)
    assert len(every) == SESSIONS - 19
    parts = every.parts(SPLIT)
    last_of_train = SPLIT.train.stop - 2 - every.start
    assert parts[last_of_train].tolist() == ["train", "validation"]
    assert parts[-1].tolist() == ["later", "later"]
    for name in PARTS:
        place = getattr(SPLIT, name)
        predicted = every.known_on[parts == name]
        assert predicted.min() >= place.start
        assert name == "later" or predicted.max() < place.stop


def test_a_session_between_two_parts_belongs_to_none() -> None:
    split = Split(slice(0, 40), slice(45, 60), slice(60, 80), slice(80, 80))
    parts = inference_samples(80, WINDOWS).parts(split)
    assert parts[42 - 20].tolist() == ["", ""]  # made on session 41
    assert parts[44 - 20].tolist() == ["", "validation"]
    assert len(samples(split, WINDOWS)["later"]) == 0


def test_dates_of_predictions() -> None:
    dates = np.array(["2024-08-28", "2024-08-29", "2024-08-30"], dtype="datetime64[D]")  # ends on a Friday
    windows = WindowSettings(input_sessions=2, output_sessions=3)
    made = inference_samples(3, windows)
    assert made.made_on_dates(dates).astype(str).tolist() == ["2024-08-29", "2024-08-30"]
    weekdays = made.predicted_dates(dates).astype(str)
    assert weekdays.tolist() == [["2024-08-30", "2024-09-02", "2024-09-03"], ["2024-09-02", "2024-09-03", "2024-09-04"]]
    calendar = np.array(["2024-08-30", "2024-09-03", "2024-09-05"], dtype="datetime64[D]")
    assert made.predicted_dates(dates, calendar)[-1].astype(str).tolist() == ["2024-09-03", "2024-09-05", "2024-09-06"]
    saturday = np.array(["2024-03-02"], dtype="datetime64[D]")  # a special session
    assert following(saturday, 1).astype(str).tolist() == ["2024-03-02", "2024-03-04"]


def test_a_stock_with_fewer_than_half_of_a_windows_returns_takes_no_part() -> None:
    windows = WindowSettings(input_sessions=4, output_sessions=1)
    valid = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    enough = inference_samples(6, windows).enough_returns(valid)
    assert enough.tolist() == [[True, False, True], [True, False, False], [True, True, False]]
    later = Samples(5, 6, windows).enough_returns(valid)
    assert later.tolist() == enough[2:].tolist()


def test_odd_windows_need_the_larger_half() -> None:
    windows = WindowSettings(input_sessions=3, output_sessions=1)
    valid = np.array([[1, 1], [0, 1], [0, 0]], dtype=bool)
    assert inference_samples(3, windows).enough_returns(valid).tolist() == [[False, True]]


def test_enough_returns_counts_each_window() -> None:
    valid = np.isfinite(returns())
    made = samples(SPLIT, WINDOWS)["validation"]
    np.testing.assert_array_equal(made.enough_returns(valid), made.inputs(valid).sum(axis=1) >= 10)


def test_fewer_sessions_than_a_window() -> None:
    with pytest.raises(NiftyFormerError, match="10 sessions are fewer than a window of 20"):
        sliding_windows(np.zeros((10, 2)), 20)
    with pytest.raises(NiftyFormerError, match="10 sessions are fewer than a window of 20"):
        inference_samples(10, WINDOWS)


@pytest.mark.parametrize(
    ("split", "part"),
    [
        (Split(slice(0, 21), slice(21, 40), slice(40, 60), slice(60, 60)), "train"),
        (Split(slice(0, 40), slice(40, 41), slice(41, 60), slice(60, 60)), "validation"),
        (Split(slice(0, 40), slice(40, 59), slice(59, 60), slice(60, 70)), "test"),
    ],
)
def test_a_part_without_a_sample_is_named(split: Split, part: str) -> None:
    with pytest.raises(NiftyFormerError, match=f"the {part} part has .* too few"):
        samples(split, WINDOWS)


def test_a_bare_machine_can_use_windows_and_targets() -> None:
    """Only torch, numpy, pandas and pyarrow are there (filelock comes with torch)."""
    code = """
        import sys
        for absent in ("pywt", "networkx", "numba", "gensim", "scipy", "sklearn", "matplotlib", "dagster", "pydantic",
                       "threadpoolctl"):
            sys.modules[absent] = None
        import numpy as np
        from niftyformer_assets.dataset import wavelet, windows
        from niftyformer_assets.dataset.settings import WindowSettings
        from niftyformer_assets.factors.labels import ranks
        made = windows.inference_samples(30, WindowSettings())
        assert made.inputs(np.zeros((30, 2, 3))).shape == (11, 20, 2, 3)
        assert ranks(np.eye(4)).shape == (4, 4)
        assert wavelet.bands(np.zeros((30, 2)), np.eye(20))[0].shape == (11, 20, 2)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = """
        import importlib, pkgutil, sys
        import niftyformer_assets.dataset as package
        lazy = ("struc2vec.dtw",)
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith(lazy):
                importlib.import_module(module.name)
        heavy = {"torch", "kiteconnect", "matplotlib", "networkx", "numba", "gensim", "pywt", "dagster", "pydantic"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
