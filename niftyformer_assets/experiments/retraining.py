"""The experiment in use trained anew: an experiment of its own with the same settings and a later window."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import experiment_in_use, find_experiment, sessions_at_hand
from niftyformer_assets.experiments.opened import OpenedExperiment, open_experiment
from niftyformer_assets.experiments.overrides import put_value
from niftyformer_assets.experiments.study import later
from niftyformer_assets.experiments.traded import traded_scores
from niftyformer_assets.experiments.variants import what_decides_beside_sessions, without_defaults
from niftyformer_assets.finding import Finding
from niftyformer_assets.market.split import Period, SplitByDate, SplitByRatio
from niftyformer_assets.model.predictions import read_predictions, traded
from niftyformer_assets.portfolio.backtest.market import cut_market
from niftyformer_assets.portfolio.backtest.scores import scores_from_predictions
from niftyformer_assets.portfolio.evidence.succession import Side, compare
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.workspace import Workspace

_NAME = re.compile(r"(.+)-retrained-\d{4}-\d{2}")
OUT_OF_SAMPLE = ("test", "later")


def retrained_name(experiment: str, month: str) -> str:
    """What the retraining of a month (YYYY-MM) is called; that of a retraining as that of the first."""
    found = _NAME.fullmatch(experiment)
    return f"{found[1] if found else experiment}-retrained-{month}"


def moved(sessions: SplitByDate | SplitByRatio, before: date) -> SplitByDate | SplitByRatio | None:
    """The same window as many whole months later as it can be and end before a day; None where it cannot be later."""
    end = sessions.test.end if isinstance(sessions, SplitByDate) else sessions.end
    months = (before.year - end.year) * 12 + before.month - end.month
    while months > 0 and _moved(end, months, ends=True) >= before:
        months -= 1
    if months <= 0:
        return None
    if isinstance(sessions, SplitByRatio):
        return SplitByRatio(_moved(sessions.start, months), _moved(end, months, ends=True), sessions.ratio)
    parts = (sessions.train, sessions.validation, sessions.test)
    return SplitByDate(*(Period(_moved(of.start, months), _moved(of.end, months, ends=True)) for of in parts))


def _moved(day: date, months: int, ends: bool = False) -> date:
    """A day some months later; the end of a part is the day before the next one begins."""
    return later(day + timedelta(days=1), months) - timedelta(days=1) if ends else later(day, months)


def retraining_due(settings: Settings) -> tuple[str, Path]:
    """The experiment that the one in use is trained anew as in the month of the newest session, and its file, written.

    A file that is there stays as it is.

    Raises:
        NiftyFormerError: no experiment is set to be in use, there are no candles, or its window is already the latest.
    """
    if settings.signal_experiment is None:
        # With a second file the only one would not be the only one any more.
        raise NiftyFormerError("nothing is trained anew: set NIFTYFORMER_SIGNAL_EXPERIMENT to the experiment in use")
    used, dates = find_experiment(settings, settings.signal_experiment), sessions_at_hand(settings)
    if dates is None:
        raise NiftyFormerError("nothing is trained anew: there is no market panel yet")
    month = str(dates[-1])[:7]
    name = retrained_name(used.name, month)
    path = settings.experiments / f"{name}.yaml"
    if path.is_file() or name == used.name:
        return name, path
    sessions = moved(used.sessions, date.fromisoformat(f"{month}-01"))
    if sessions is None:
        raise NiftyFormerError(
            f"nothing is trained anew: the window of {used.name} is the latest before {month} already"
        )
    write_text(path, retrained_text(used, sessions))
    return name, path


def retrained_text(used: Experiment, sessions: SplitByDate | SplitByRatio) -> str:
    """The file of an experiment with other sessions: whatever is not a default."""
    values = used.model_copy(update={"sessions": sessions, "overrides": {}}).values()
    content: dict[str, Any] = {}
    for key, value in without_defaults(values).items():
        if key != "name":
            put_value(content, key, value, Path(used.name))
    said = f"# {used.name} trained anew: the same settings, a later window.\n"
    return said + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def beside_the_one_in_use(settings: Settings, name: str) -> Finding:
    """Whether an experiment that is the one in use trained anew is proposed in its place.

    That the one in use is not there, or cannot be read, is no fault of the new one, and said.
    """
    try:
        return _beside(settings, name, experiment_in_use(settings))
    except NiftyFormerError as error:
        return Finding(False, f"{name} is not held beside the experiment in use: {error}")


def _beside(settings: Settings, name: str, in_use: str | None) -> Finding:
    if in_use is None:
        return Finding(True, "No experiment is in use.")
    if in_use == name:
        return Finding(True, f"{name} is the experiment in use.")
    new, used = (find_experiment(settings, each) for each in (name, in_use))
    if what_decides_beside_sessions(new.values()) != what_decides_beside_sessions(used.values()):
        return Finding(True, f"{name} has other settings than {in_use}, which is in use: it is no retraining of it.")
    if _trained_until(new) <= _trained_until(used):
        return Finding(True, f"{name} was trained no later than {in_use}, which is in use.")
    workspace = settings.workspace
    if not workspace.experiment(in_use).predictions.is_file():
        return Finding(True, f"{in_use}, which is in use, has no predictions to be beside.")
    both = [_out_of_sample(workspace, each) for each in (new, used)]
    common = sorted({*both[0][2]} & {*both[1][2]})
    if not common:
        return Finding(False, f"{name} and {in_use}, which is in use, have no session that both saw out of sample.")
    sides = [_side(opened, predictions, common[0], common[-1]) for opened, predictions, _ in both]
    return compare(*sides)


def _trained_until(experiment: Experiment) -> date:
    of = experiment.sessions
    return of.train.end if isinstance(of, SplitByDate) else of.end


def _out_of_sample(workspace: Workspace, experiment: Experiment) -> tuple[OpenedExperiment, pd.DataFrame, list[str]]:
    """The experiment, its predictions, and the sessions of those it was neither trained nor chosen on."""
    opened = open_experiment(workspace, experiment)
    predictions = read_predictions(opened.folder.predictions)
    rows = traded(predictions)
    made = pd.to_datetime(rows.loc[rows["split"].isin(OUT_OF_SAMPLE), "date_made"])
    return opened, predictions, made.dt.strftime("%Y-%m-%d").unique().tolist()


def _side(opened: OpenedExperiment, predictions: pd.DataFrame, first: str, last: str) -> Side:
    of = opened.experiment
    market = cut_market(opened.panel, opened.scope, np.datetime64(first, "D"), np.datetime64(last, "D"))
    ranked = traded_scores(opened, predictions, market.axes)
    said = scores_from_predictions(predictions, market.axes)
    return Side(of.name, said, ranked, market, of.strategy, of.costs, of.seed)
