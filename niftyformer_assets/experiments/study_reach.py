"""Whether what is at hand reaches as far as a study: its windows' candles and lists of members, and its portfolios."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from niftyformer_assets.experiments.contenders import Scopes
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import has_begun, sessions_at_hand, studies_of
from niftyformer_assets.experiments.study import Study, last_weekday
from niftyformer_assets.indices import DEFAULT, INDICES
from niftyformer_assets.market.calendar import covered, sessions
from niftyformer_assets.market.most_traded import require_year_before
from niftyformer_assets.market.scope import deciding_sessions, earliest_list, of_index
from niftyformer_assets.market.split import SplitByDate
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.portfolio.backtest.places import require_places
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError


def require_reach_of(settings: Settings, name: str) -> None:
    """`require_reach` of the study that an experiment belongs to; nothing where it belongs to none."""
    for study in studies_of(settings).values():
        if name in study.experiments:
            require_reach(study, settings)


def require_reach(study: Study, settings: Settings) -> None:
    """Refuse a study whose windows are not all among the candles at hand, or whose members nobody knows.

    Without candles nothing can be said yet, and nothing is.

    Raises:
        NiftyFormerError: it names the first window that is not, and how far candles or lists reach.
    """
    dates = sessions_at_hand(settings)
    if dates is None:
        return
    if not study.planned:
        raise NiftyFormerError(
            f"study {study.name} has no window whose test part is over: candles reach from {dates[0]} to {dates[-1]}. "
            "Set walk_forward.first_test earlier, or fetch more candles."
        )
    universe = load_universe(settings.workspace.universe)
    # Points and seeds of one window ask for the same.
    different = {f"{each.sessions} {each.universe}": each for each in reversed(study.experiments.values())}
    for experiment in reversed(different.values()):
        _require_candles(experiment, dates)
        try:
            _require_members(experiment, dates, universe, settings, study)
        except NiftyFormerError as error:
            raise NiftyFormerError(f"{experiment.name}: {error}") from error


def require_portfolios(study: Study, settings: Settings) -> None:
    """Refuse a study of which an experiment's universe or capital cannot fill its portfolio (`require_places`).

    Raises:
        NiftyFormerError: it names the experiment, the setting, and what would do.
    """
    scopes = Scopes(settings.workspace)
    # Seeds and other models of one window have the same portfolio.
    different = {f"{Scopes.key(each)} {each.strategy}": each for each in reversed(study.experiments.values())}
    for experiment in reversed(different.values()):
        part = scopes.of(experiment)
        require_places(experiment.name, experiment.strategy, part.cut(scopes.panel["close"]), part)


def _require_candles(experiment: Experiment, dates: np.ndarray) -> None:
    parts, (first, last) = experiment.sessions, (day.item() for day in dates[[0, -1]])
    if isinstance(parts, SplitByDate):
        start, tested, end = parts.train.start, parts.test.start, parts.test.end
        said = f"{experiment.name} trains from {start} and is tested from {tested} to {end}"
    else:
        start, end = parts.start, parts.end
        said = f"{experiment.name} has the sessions from {start} to {end}"
    day = timedelta(days=1)
    if _traded(start, first - day) or _traded(last + day, last_weekday(end)):
        raise NiftyFormerError(
            f"{said}, and candles reach from {first} to {last}: set "
            f"{'walk_forward' if isinstance(parts, SplitByDate) else 'sessions'} otherwise, or fetch candles that "
            "reach further (NIFTYFORMER_HISTORY_START)."
        )


def _require_members(
    experiment: Experiment, dates: np.ndarray, universe: pd.DataFrame, settings: Settings, study: Study
) -> None:
    chosen = experiment.universe
    decided = deciding_sessions(dates, experiment.sessions, chosen)
    if chosen.most_traded is not None:
        require_year_before(dates, decided)
        return
    name = chosen.index or DEFAULT
    # Nobody leaves a made-up index; and what is fetched is what studies that have begun ask for.
    if settings.market == "simulated" or not (has_begun(settings, study) or (universe["index"] == name).any()):
        return
    earliest = earliest_list(of_index(universe, name))
    if earliest > decided[0]:
        raise NiftyFormerError(
            f"members of the {INDICES[name].title} are asked for as of {decided[0]} (universe.membership: "
            f"{chosen.membership}), and the lists at hand reach back to {earliest}: give lists or a table of "
            "membership that reach further (docs/candles.md), draw the stocks by trading (universe.most_traded), or "
            "set walk_forward.first_test later."
        )


def _traded(start: date, end: date) -> bool:
    """Does NSE trade on a weekday from `start` to `end`, both included? Of years not known, on every one.

    A special session at a weekend is one that candles may lack.
    """
    known_from, known_to = covered()
    if start < known_from or end > known_to:
        return bool(np.busday_count(start, end + timedelta(days=1)) > 0)
    return start <= end and bool(np.is_busday(sessions(start, end)).any())
