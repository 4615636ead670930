"""The three kinds of partition: symbols, experiments and studies.

Symbol keys are read when the definitions load, from what is at hand and without a network call:
all members of all index lists, symbols that have candles, or the made-up market's own. They are
sorted, and a key once there stays.

All are static, and the definitions load anew by themselves where files give other keys
(`experiment_files.py`). Dagster's dynamic partitions would take new keys without that, but its mappings
from partitions to what joins them (an experiment's settings to its artifacts, experiments to a study) are
between static ones only, and what a file changes beside the keys, as the panels of factors
and the reasons in descriptions, is of the definitions in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from niftyformer_assets.artifacts import Artifact, artifacts
from niftyformer_assets.experiments.files import (
    experiment_in_use,
    experiments_of,
    has_begun,
    studies_of,
    universes_asked,
)
from niftyformer_assets.indices import DEFAULT, INDICES
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.given import in_one_line

# What Dagster takes for a key: three dots would be a range.
_SYMBOL = re.compile(r"[^\s./](?:\.?[^\s./])*")


@dataclass(frozen=True)
class Partitions:
    """The definitions, and the factor sets that the experiments ask for beside Alpha158.

    in_use: the experiment whose signals are given, if it is there.
    of_files: the experiments that have a file of their own. study_of: the study of each other one; those of
        studies that nobody has asked for yet are no partitions.
    advice: what to do where there is no symbol. wrong, wrong_lists: what is wrong with experiment files, and with
        index lists and candle files, which are left out.
    """

    symbols: dg.StaticPartitionsDefinition
    experiments: dg.StaticPartitionsDefinition
    studies: dg.StaticPartitionsDefinition
    in_use: str | None
    of_files: tuple[str, ...]
    study_of: Mapping[str, str]
    factor_sets: tuple[str, ...]
    advice: str | None
    wrong: tuple[str, ...]
    wrong_lists: tuple[str, ...]

    @property
    def artifacts(self) -> Mapping[str, Artifact]:
        """The rows of all artifacts."""
        return artifacts(self.factor_sets)

    def experiments_of(self, row: Artifact) -> tuple[str, ...]:
        """The experiments of which an artifact of the workspace reads, those of studies apart."""
        if row.of_one_in_use:
            return () if self.in_use is None else (self.in_use,)
        return self.of_files


def read_partitions(settings: Settings) -> Partitions:
    """The partitions of the active workspace."""
    wrong_lists: list[str] = []
    wrong: dict[str, str] = {}
    experiments = experiments_of(settings, wrong)
    symbols = symbols_at_hand(settings, universes_asked(settings), wrong_lists)
    advice = None
    if not symbols:
        advice = (
            f"No symbols yet: no index list is at hand for workspace `{settings.workspace.name}`. Materialize "
            "`universe` (or run `niftyformer universe`) to fetch NSE's list, or drop a file named "
            f"`{INDICES[DEFAULT].dated('YYYY-MM-DD')}` into `{settings.index_list_folders[-1]}`: its symbols "
            "appear within a minute."
        )
    studies = studies_of(settings)
    begun = [study for study in studies.values() if has_begun(settings, study)]
    study_of = {name: study.name for study in begun for name in study.experiments}
    return Partitions(
        symbols=dg.StaticPartitionsDefinition(symbols),
        experiments=dg.StaticPartitionsDefinition(list(experiments)),
        studies=dg.StaticPartitionsDefinition(list(studies)),
        in_use=in_use if (in_use := experiment_in_use(settings)) in experiments else None,
        of_files=tuple(name for name in experiments if name not in study_of),
        study_of=study_of,
        factor_sets=("alpha158", *sorted({e.factors.factor_set for e in experiments.values()} - {"alpha158"})),
        advice=advice,
        wrong=tuple(wrong.values()),
        wrong_lists=tuple(wrong_lists),
    )


def told_of_wrong_files(wrong: Iterable[str]) -> str:
    """What the description of an asset says of files that are left out."""
    return "".join(f"\n\n**Left out:** {reason}" for reason in wrong)


def symbols_at_hand(settings: Settings, universes: Sequence[UniverseSettings], wrong: list[str]) -> list[str]:
    """Every symbol that can have candles in the active workspace, sorted; `wrong` gets what is left out, and why."""
    from niftyformer_assets.market.identities import symbols_of_lists

    symbols = set(symbols_of_lists(settings.index_list_sources, wrong))
    for path in settings.workspace.raw.glob("*.parquet"):
        if _is_symbol(symbol := settings.workspace.symbol_of(path)):
            symbols.add(symbol)
        else:
            wrong.append(in_one_line(f"{path} has no symbol's name: rename or remove it"))
    if any_draws(universes):
        symbols.update(filter(_is_symbol, _of_no_index(settings.workspace.universe)))
    if settings.source == "made up":
        from niftyformer_assets.exchange.settings import made_up_symbols, other_symbols

        symbols.update(made_up_symbols(settings.made_up))
        symbols.update(other_symbols(settings.made_up) if any_draws(universes) else ())
    return sorted(symbols)


def any_draws(universes: Iterable[UniverseSettings]) -> bool:
    """Whether an experiment draws its stocks by trading, from all that are at hand."""
    return any(universe.most_traded is not None for universe in universes)


def _is_symbol(text: str) -> bool:
    return _SYMBOL.fullmatch(text) is not None and text.isprintable()


def _of_no_index(universe: Path) -> list[str]:
    """The symbols of the universe that no list has; read without pandas, which the definitions do not load."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(universe, columns=["symbol", "index"])
    except (OSError, pa.ArrowException):  # not made yet, or damaged, which whoever reads figures from it says
        return []
    return [row["symbol"] for row in table.to_pylist() if row["index"] == ""]
