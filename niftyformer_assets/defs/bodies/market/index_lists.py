"""The index lists that an active workspace works with: those of the indices that its experiments ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from niftyformer_assets.defs.partitions import any_draws, symbols_at_hand
from niftyformer_assets.defs.resources import CandleSource
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import universes_asked
from niftyformer_assets.indices import DEFAULT, INDICES, Index, index_of_list
from niftyformer_assets.market.index_lists import IndexList, install_list, is_dated
from niftyformer_assets.market.list_fetching import fetch_list
from niftyformer_assets.market.membership_files import (
    kind_of,
    read_lists,
    read_sectors,
    short_lists,
    tables_among,
)
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.errors import NiftyFormerError


@dataclass(frozen=True)
class AtHand:
    """What says who was a member: lists, oldest first.

    sectors: industry by symbol, for stocks that no list has. others: symbols that experiments may draw by trading.
    """

    lists: list[IndexList]
    sectors: dict[str, str]
    others: list[str]
    files: list[Path]


def asked_indices(universes: Sequence[UniverseSettings]) -> list[Index]:
    """The indices whose members some experiment takes; the NIFTY-200 where there is no experiment."""
    names = {universe.index for universe in universes} if universes else {DEFAULT}
    return [index for index in INDICES.values() if index.name in names]


def require_list(settings: Settings, experiment: Experiment) -> None:
    """Refuse to replay candles for an experiment without a list of its index: candles do not tell members."""
    asked = experiment.universe.index
    if settings.source != "replay" or asked is None:
        return
    _require_some_list(settings)
    given = read_lists(path for path in settings.given_lists if kind_of(path) != "list")
    indices = {kept.index for kept in given} | {
        index_of_list(path.name) or INDICES[DEFAULT] for path in settings.given_lists if kind_of(path) == "list"
    }
    if INDICES[asked] not in indices:
        raise NiftyFormerError(
            f"experiment {experiment.name} takes the members of the {INDICES[asked].title}, and none of the lists "
            f"given with --index-list is of it: add NSE's {INDICES[asked].list_file} or a table of membership, or "
            "change universe.index"
        )


def _require_some_list(settings: Settings) -> None:
    if not settings.given_lists:
        raise NiftyFormerError(
            "a replay needs the constituent list that goes with its candles: give NSE's file with --index-list, or "
            "set NIFTYFORMER_INDEX_LIST; or draw the stocks by trading (universe.most_traded)"
        )


def lists_at_hand(settings: Settings, source: CandleSource, warn: Callable[[str], None]) -> AtHand:
    """Fetch the lists in force that experiments ask for, and return them with those kept before, and tables.

    A replay works with the files that are named for it alone. Where NSE does not answer, the lists at
    hand stand, with a warning.

    Raises:
        NiftyFormerError: a file is wrong, or there is no list of an index at all that experiments ask for.
    """
    universes = universes_asked(settings)
    draws = any_draws(universes)
    others = symbols_at_hand(settings, universes, []) if draws else []
    sources = settings.index_list_folders
    if settings.source == "replay":
        if not draws:
            _require_some_list(settings)
        with source.connect() as connection:
            sources = _installed(settings, connection.now.date())
            others += connection.session().instruments() if draws else ()
    else:
        _fetch(settings, source, asked_indices(universes), warn)
    lists, sectors = read_lists(sources), read_sectors(sources)
    for said in short_lists(lists):
        if settings.source == "zerodha":  # all of them are NSE's
            raise NiftyFormerError(f"{said}: download it again")
        if settings.source == "replay":
            warn(f"{said}, unless it is of your own making")
    if draws and not lists and not others:
        widest = max(INDICES.values(), key=lambda index: index.members)
        raise NiftyFormerError(
            f"no symbol is at hand that stocks could be drawn from: put NSE's {widest.dated('YYYY-MM-DD')} into "
            f"{settings.index_list_folders[-1]}, or let an experiment ask for an index (universe.index)"
        )
    files = dict.fromkeys([*(kept.path for kept in lists), *tables_among(sources)])
    return AtHand(lists, sectors, others, list(files))


def _fetch(settings: Settings, source: CandleSource, indices: list[Index], warn: Callable[[str], None]) -> None:
    for index in indices:
        least = index.fewest if settings.source == "zerodha" else 1
        try:
            with source.connect() as connection:
                today, root = connection.now.date(), connection.index_list_root
                fetch_list(settings.workspace.index_lists, today, root, index, least)
        except NiftyFormerError as error:
            lists = [kept for kept in read_lists(settings.index_list_folders) if kept.index == index]
            if not lists or not settings.is_live:
                raise
            warn(f"{error} The lists up to {lists[-1].as_of} are used.")


def _installed(settings: Settings, today: date) -> list[Path]:
    """The files named for a replay; NSE's lists copied under their dates, one without counts as of today."""
    paths = []
    installed: dict[Path, Path] = {}
    for path in settings.given_lists:
        if kind_of(path) != "list":
            paths.append(path)
            continue
        kept = install_list(path, settings.workspace.index_lists, None if is_dated(path) else today)
        if kept in installed:
            raise NiftyFormerError(
                f"{path} and {installed[kept]} are lists of one index for one date: give one of them."
            )
        installed[kept] = path
        paths.append(kept)
    return paths
