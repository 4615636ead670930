"""What must be so before a signal is given: each look returns a `Finding` whose sentence says what is wrong.

Shapes: T sessions, N symbols, F factors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
import pandas as pd

from niftyformer_assets.finding import Finding
from niftyformer_assets.model.predictions import traded, value_column
from niftyformer_assets.words import counted

# Of the stocks that traded in the weeks before, so many may be without a candle: they may be suspended.
MOST_MISSING = 0.02
RECENT_SESSIONS = 10
# A factor is out of its range where a stock has a value further than this share of the training range beyond it.
BEYOND = 0.5
# So many may be, for single stocks do what none did in training.
MOST_STRANGE = 0.1
# And a factor that is known of so many fewer stocks than on the worst training session has lost its inputs.
LESS_KNOWN = 0.1
NAMED = 5


def candles_complete(
    has_candle: np.ndarray, symbols: Sequence[str], session: date, expected: date | None = None
) -> Finding:
    """The newest session is the exchange's last, and whoever traded in the sessions before has a candle.

    Args:
        has_candle: bool [T, N], up to the newest session.
        expected: the exchange's last session that is over; None where candles do not come every day.
    """
    if expected is not None and session != expected:
        return _fails(
            f"the candles reach to {session} and the exchange's last session is {expected}: fetch the candles"
        )
    alive = has_candle[-1 - RECENT_SESSIONS : -1].any(axis=0)
    absent = [name for name, gone in zip(symbols, alive & ~has_candle[-1], strict=True) if gone]
    figures = {"stocks": int(alive.sum()), "without_a_candle": len(absent)}
    if len(absent) > max(1, MOST_MISSING * alive.sum()):
        return _fails(
            f"{len(absent)} of {figures['stocks']} stocks that traded lately have no candle on {session} "
            f"({_named(absent)}): fetch theirs again",
            figures,
        )
    said = f", without a candle: {_named(absent)}" if absent else ""
    return Finding(True, f"{figures['stocks'] - len(absent)} stocks have a candle on {session}{said}.", figures)


def universe_as_the_models(trained_on: Collection[str], now: Collection[str], scored: Collection[str]) -> Finding:
    """The stocks are those that the model was fitted on, and it speaks of no others.

    Args:
        trained_on: by the model's card. now: that take part in the experiment. scored: on the newest session.
    """
    gone, new, strange = (
        sorted(set(one) - set(other)) for one, other in ((trained_on, now), (now, trained_on), (scored, now))
    )
    if gone or new:
        words = [f"{counted(len(names), 'stock')} {what} ({_named(names)})" for names, what in
                 ((gone, "fewer"), (new, "more")) if names]  # fmt: skip
        return _fails(f"the universe has {' and '.join(words)} than the model was trained on: train it again")
    if strange:
        return _fails(f"predictions are of stocks outside the universe ({_named(strange)}): make them again")
    return Finding(True, f"The {len(set(now))} stocks are those that the model was trained on.")


def graph_as_in_training(trained_with: str | None, now: str | None) -> Finding:
    """What the model sees of the graph of stocks is what it was trained with.

    Args:
        trained_with: the hash of the embedding by the model's card; None where the model does not see it. now: of the
            one that predicts.
    """
    if trained_with is None:
        return Finding(True, "The model does not see the graph.")
    if trained_with != now:
        return _fails(
            "the embedding of the graph is another than the model was trained with, as after a correction of older "
            "candles: train it again"
        )
    return Finding(True, "The graph is the one that the model was trained with.")


def factors_as_in_training(values: np.ndarray, valid: np.ndarray, names: Sequence[str], train: slice) -> Finding:
    """On the newest session the factors lie where they lay in training, and are known of as many stocks.

    Args:
        values: float [T, N, F] as the model sees them. valid: bool [T, N, F], where there is one.
        train: the training sessions.
    """
    known, last = np.where(valid, values, np.nan), np.where(valid[-1], values[-1], np.nan)
    strange: dict[str, str] = {}
    for place, name in enumerate(names):
        before, now = known[train, :, place], last[:, place]
        share = valid[train, :, place].mean(axis=1)
        if valid[-1, :, place].mean() < share.min() - LESS_KNOWN:
            strange[name] = f"known of {valid[-1, :, place].mean():.0%} of the stocks, in training of {share.min():.0%}"
            continue
        if not np.isfinite(now).any():
            continue  # as on the worst training session
        low, high = np.nanmin(before), np.nanmax(before)
        margin = BEYOND * (high - low)
        if np.nanmin(now) < low - margin or np.nanmax(now) > high + margin:
            strange[name] = f"from {np.nanmin(now):.3g} to {np.nanmax(now):.3g}, in training {low:.3g} to {high:.3g}"
        elif high > low and np.nanmax(now) == np.nanmin(now) and np.isfinite(now).sum() > 1:
            strange[name] = "the same for all stocks"
    figures = {"factors": len(names), "strange": len(strange)}
    if len(strange) > MOST_STRANGE * len(names):
        told = "; ".join(f"{name} {what}" for name, what in list(strange.items())[:NAMED])
        return _fails(
            f"{len(strange)} of {len(names)} factors are not as in training: {told}: look at the newest candles, or "
            "train the model again",
            figures,
        )
    said = f", but {_named(list(strange))}" if strange else ""
    return Finding(True, f"{len(names)} factors lie where they lay in training{said}.", figures)


def model_young_enough(train_end: date, session: date, most_days: int) -> Finding:
    """The model has learned from sessions that are not too long ago."""
    age = (session - train_end).days
    if age > most_days:
        return _fails(
            f"the model learned from sessions up to {train_end}, {age} days before {session}, and at most {most_days} "
            "are allowed (NIFTYFORMER_SIGNAL_MAX_AGE_DAYS): train one on later sessions",
            {"age_days": age},
        )
    return Finding(True, f"The model learned from sessions up to {train_end}, {age} days before.", {"age_days": age})


def predictions_differ(predictions: pd.DataFrame, session: date) -> Finding:
    """What is traded is predicted of the newest session, and not the same of all stocks."""
    rows = traded(predictions)
    made = pd.to_datetime(rows["date_made"])
    if made.max() != pd.Timestamp(session):
        return _fails(f"the predictions reach to {made.max().date()} and the candles to {session}: make them again")
    of_session = rows.loc[made == pd.Timestamp(session), value_column(rows)]
    figures = {"predictions": len(of_session), "distinct": int(of_session.nunique())}
    if of_session.nunique() < 2:
        return _fails(f"the model says the same of all {len(of_session)} stocks on {session}: train it again", figures)
    return Finding(True, f"{len(of_session)} stocks have a prediction, of {figures['distinct']} values.", figures)


def _fails(sentence: str, figures: dict[str, float | str] | dict[str, int] | None = None) -> Finding:
    return Finding(False, sentence, dict(figures or {}), defect=True)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
