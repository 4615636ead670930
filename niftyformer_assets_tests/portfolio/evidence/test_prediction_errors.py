"""Errors, accuracy, rank IC and deciles of predictions, against plain re-computations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from niftyformer_assets.factors.labels import RETURN, Label, Labels, Outcomes, Span, session_labels
from niftyformer_assets.factors.rank_ic import shrink_by_overlap
from niftyformer_assets.portfolio.evidence.prediction_errors import (
    prediction_errors,
    session_rank_ic,
    with_labels,
)
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError

T, N = 30, 20
AXES = Axes(np.busday_offset("2024-05-01", np.arange(T), roll="forward"), tuple(f"S{n}" for n in range(N)))


def returns() -> np.ndarray:
    rng = np.random.default_rng(2)
    values = 0.02 * rng.standard_normal((T, N))
    values[rng.random((T, N)) < 0.05] = np.nan
    return values


def labels(truth: np.ndarray | None = None) -> Labels:
    """The returns of later sessions."""
    return Labels.of(session_labels(RETURN, (1, 2)), Outcomes(returns() if truth is None else truth))


def predictions(value: np.ndarray, p_up: np.ndarray, horizon: int = 1) -> pd.DataFrame:
    """[T, N], row t for session t + horizon; shuffled rows, so that order cannot help."""
    rows = [
        {
            "date_made": AXES.dates[t],
            "date_predicted": AXES.dates[t + horizon]
            if t + horizon < T
            else AXES.dates[-1] + (t + horizon - T + 1) * 3,
            "horizon": horizon,
            "symbol": AXES.symbols[n],
            "split": "test" if t >= 15 else "validation",
            "return": value[t, n],
            "p_up": p_up[t, n],
        }
        for t in range(T)
        for n in range(N)
    ]
    frame = pd.DataFrame(rows).sample(frac=1, random_state=0, ignore_index=True)
    return frame.assign(
        date_made=pd.to_datetime(frame["date_made"]), date_predicted=pd.to_datetime(frame["date_predicted"])
    )


def test_figures_match_plain_loops() -> None:
    rng = np.random.default_rng(3)
    truth = returns()
    value, p_up = 0.01 * rng.standard_normal((T, N)), rng.random((T, N))
    table = prediction_errors(with_labels(predictions(value, p_up, horizon=2), labels(truth), AXES))
    row = table[table["split"] == "test"].iloc[0]
    errors, rights, ics = [], [], []
    for t in range(15, T - 2):
        seen = [n for n in range(N) if np.isfinite(truth[t + 2, n])]
        errors += [abs(value[t, n] - truth[t + 2, n]) for n in seen]
        rights += [(p_up[t, n] > 0.5) == (truth[t + 2, n] > 0) for n in seen]
        ics.append(spearmanr(value[t, seen], truth[t + 2, seen]).statistic)
    assert row["mae"] == pytest.approx(np.mean(errors))
    assert row["accuracy"] == pytest.approx(np.mean(rights))
    assert row["rank_ic"] == pytest.approx(np.mean(ics))
    assert row["rank_ic_t"] == pytest.approx(np.mean(ics) / np.std(ics, ddof=1) * np.sqrt(len(ics)))
    assert (row["sessions"], row["predictions"]) == (T - 17, len(errors))


def test_ties_share_their_rank() -> None:
    truth = returns()
    value = np.round(truth * 60) / 60  # few distinct values
    value = np.nan_to_num(np.vstack([value[1:], value[:1]]))
    joined = with_labels(predictions(value, np.full((T, N), 0.5)), labels(truth), AXES)
    ours = session_rank_ic(joined).set_index("date_made")["rank_ic"]
    for t in (0, 7, 20):
        seen = np.isfinite(truth[t + 1])
        assert ours[pd.Timestamp(AXES.dates[t])] == pytest.approx(
            spearmanr(value[t, seen], truth[t + 1, seen]).statistic
        )


def test_constants_take_no_side_and_rank_nothing() -> None:
    joined = with_labels(predictions(np.zeros((T, N)), np.full((T, N), 0.5)), labels(), AXES)
    table = prediction_errors(joined)
    assert table["mae"].notna().all()
    assert table[["accuracy", "rank_ic", "rank_ic_t"]].isna().all().all()


def test_sessions_still_to_come_and_missing_labels_are_left_out() -> None:
    truth = returns()
    joined = with_labels(predictions(np.zeros((T, N)), np.full((T, N), 0.6), horizon=2), labels(truth), AXES)
    assert len(joined) == np.isfinite(truth[2:]).sum()


def test_names_and_dates_that_do_not_fit_are_refused() -> None:
    frame = predictions(np.zeros((T, N)), np.zeros((T, N)))
    with pytest.raises(NiftyFormerError, match="TYPO"):
        with_labels(frame.replace({"symbol": {"S3": "TYPO"}}), labels(), AXES)
    with pytest.raises(NiftyFormerError, match="2024-05-04"):
        with_labels(frame.assign(date_made=pd.Timestamp("2024-05-04")), labels(), AXES)  # a Saturday
    with pytest.raises(NiftyFormerError, match="for 2024-05-04, and its label is known on another session"):
        with_labels(frame.assign(date_predicted=pd.Timestamp("2024-05-04")), labels(), AXES)
    with pytest.raises(NiftyFormerError, match=r"for horizon 2 is for .* known on another session"):
        with_labels(frame.assign(horizon=2), labels(), AXES)
    with pytest.raises(NiftyFormerError, match="of horizon 3, which the experiment does not have"):
        with_labels(frame.assign(horizon=3), labels(), AXES)
    with pytest.raises(NiftyFormerError, match="p_up"):
        with_labels(frame.drop(columns="p_up"), labels(), AXES)


def test_baselines_keep_their_names() -> None:
    frame = predictions(np.zeros((T, N)), np.zeros((T, N)))
    both = pd.concat([frame.assign(baseline="zero"), frame.assign(baseline="other")], ignore_index=True)
    assert list(prediction_errors(with_labels(both, labels(), AXES))["baseline"].unique()) == ["zero", "other"]
    assert set(with_labels(frame, labels(), AXES)["baseline"]) == {"model"}


def test_the_t_of_what_is_held_allows_for_returns_that_overlap() -> None:
    """Neighbouring sessions' labels share returns where a target is held over several, and only there."""
    truth = returns()
    truth[~np.isfinite(truth)] = 0.0
    week = (Label("week", RETURN, (Span(5),)), Label("second", RETURN, (Span(2, "session"),)))
    of = Labels.of(week, Outcomes(truth))
    tables = []
    for place, label in enumerate(week):
        value = np.nan_to_num(of.array[:, place]) + np.linspace(0, 0.05, N)
        frame = predictions(value, np.full((T, N), 0.6), horizon=label.known_after)
        tables.append(frame.assign(split="test", target=label.name, traded=label.name == "second"))
    joined = with_labels(pd.concat(tables, ignore_index=True), of, AXES)
    found = prediction_errors(joined).set_index("target")
    assert joined.groupby("target")["overlap"].first().to_dict() == {"week": 5, "second": 1}
    for name, sessions in (("week", 5), ("second", 1)):
        series = session_rank_ic(joined[joined["target"] == name]).sort_values("date_made")["rank_ic"].to_numpy()
        plain = series.mean() / series.std(ddof=1) * np.sqrt(len(series))
        expected = plain * shrink_by_overlap(series, sessions)
        assert found.loc[name, "rank_ic_t"] == pytest.approx(expected)
        assert (abs(found.loc[name, "rank_ic_t"] - plain) < 1e-9) == (sessions == 1)
