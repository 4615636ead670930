"""Experiments and studies as files: what a file leaves out has the published value.

`data/experiments/NAME.yaml` holds an experiment, `data/studies/NAME.yaml` a study of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.overrides import overridden_name
from niftyformer_assets.experiments.reading import experiment_of, text_of
from niftyformer_assets.experiments.study import Study
from niftyformer_assets.experiments.study_files import read_study_file
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.settings import NAME, Settings
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_given_json
from niftyformer_assets.store.index import INDEX_NAME


def experiments_of(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Experiment]:
    """The experiments of the active workspace by name: of the files, of studies begun, and with `overrides` put over.

    A file that is wrong, as one that is just being written, is left out: candles are fetched and
    other experiments run without it. `wrong` gets the reasons, and `find_experiment` raises them.
    """
    wrong = {} if wrong is None else wrong
    found = experiments_of_files(settings, wrong)
    for study in studies_of(settings, wrong).values():
        if has_begun(settings, study):
            found |= study.experiments
    return found | _overridden(settings, {})


def has_begun(settings: Settings, study: Study) -> bool:
    """Has anybody asked for the study in the active workspace?

    Until then its experiments are none of the workspace: whoever makes everything does not mean hundreds of trainings.
    """
    return settings.workspace.study(study.name).root.is_dir()


def begin(settings: Settings, study: Study) -> None:
    """From now on the experiments of a study are some of the workspace."""
    settings.workspace.study(study.name).root.mkdir(parents=True, exist_ok=True)


def universes_asked(settings: Settings) -> list[UniverseSettings]:
    """How each experiment of the active workspace chooses its stocks, those of studies that have no window yet too."""
    begun = (study for study in studies_of(settings).values() if has_begun(settings, study))
    of_studies = (experiment for study in begun for experiment in study.first)
    return [experiment.universe for experiment in (*experiments_of(settings).values(), *of_studies)]


def experiments_of_files(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Experiment]:
    """As `experiments_of`, with the values of the experiments' own files alone."""
    return load_experiments(settings.experiments, settings.market, wrong={} if wrong is None else wrong)


def experiment_in_use(settings: Settings) -> str | None:
    """The name of the experiment whose daily signals are given: the one that is set, else the only one that has a file.

    None where none is set and there are several.
    """
    if settings.signal_experiment is not None:
        return settings.signal_experiment
    names = list(experiments_of_files(settings))
    return names[0] if len(names) == 1 else None


def studies_of(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Study]:
    """The studies of the active workspace by name, each as long as the candles at hand reach.

    Args:
        wrong: gets what is wrong with a file, as `studies/NAME` -> reason, and the study is left out.
    """
    folder, dates = settings.studies, sessions_at_hand(settings)
    last = None if dates is None else dates[-1].item()
    wrong = {} if wrong is None else wrong
    found: dict[str, Study] = {}
    taken = {name: settings.experiments / f"{name}.yaml" for name in load_experiments(settings.experiments, wrong={})}
    for path in sorted(folder.glob("*.yaml")):
        try:
            study = read_study_file(path, settings.experiments, last)
            for name in study.experiments:
                if name in taken:
                    raise NiftyFormerError(
                        f"{path} and {taken[name]} both make an experiment {name!r}: rename one of the two"
                    )
        except NiftyFormerError as error:
            wrong[f"studies/{path.stem}"] = in_one_line(error)
        except Exception as error:  # whatever is odd about one file is no reason to be without the others
            wrong[f"studies/{path.stem}"] = in_one_line(
                f"{path} is not understood ({type(error).__name__}: {error}): mend it"
            )
        else:
            taken |= dict.fromkeys(study.experiments, path)
            if study.market == settings.market:
                found[path.stem] = study
    return found


def find_experiment(settings: Settings, name: str) -> Experiment:
    """One experiment of the active workspace.

    Raises:
        NiftyFormerError: there is none of that name, or its file is wrong; the message says which
            there are, or what is wrong.
    """
    wrong: dict[str, str] = {}
    of_files, overridden = experiments_of_files(settings, wrong), _overridden(settings, wrong)
    known = of_files | overridden
    if name in known:
        return known[name]
    for study in studies_of(settings, wrong).values():
        if name in study.experiments:
            return study.experiments[name]
    given = name.removesuffix(overridden_name("", settings.overrides))
    # An experiment of a study begins with the study's name.
    for file in (given, *(f"studies/{given[:end]}" for end in range(1, len(given)) if given[end] == ".")):
        if file in wrong:
            raise NiftyFormerError(wrong[file])
    raise NiftyFormerError(_no_such_experiment(settings, given, list(of_files)))


def find_study(settings: Settings, name: str) -> Study:
    """One study of the active workspace.

    Raises:
        NiftyFormerError: there is none of that name, or its file is wrong.
    """
    wrong: dict[str, str] = {}
    found = studies_of(settings, wrong)
    if name in found:
        return found[name]
    if f"studies/{name}" in wrong:
        raise NiftyFormerError(wrong[f"studies/{name}"])
    if (plainly := _without_path(name)) in found:
        raise NiftyFormerError(f"a study is named without its folder and .yaml: {plainly}")
    if name in load_experiments(settings.experiments, wrong={}):
        raise NiftyFormerError(f"{name} is an experiment, no study: niftyformer run --experiment {name}")
    file = name if NAME.fullmatch(name) else "NAME"
    of_other = (settings.studies / f"{file}.yaml").is_file()
    raise NiftyFormerError(
        f"study {name!r} is of an experiment for the other market than workspace {settings.workspace.name} has: choose "
        f"the workspace, or one of {', '.join(found) or 'none'}"
        if of_other
        else f"there is no study {name!r} for the {settings.market} market: choose one of "
        f"{', '.join(found) or 'none'}, or write {settings.studies / file}.yaml"
    )


def sessions_at_hand(settings: Settings) -> np.ndarray | None:
    """The sessions of the market panel, datetime64[D]; None while there is none."""
    try:
        content = read_given_json(settings.workspace.root / INDEX_NAME)
        dates = np.array(content["dates"], dtype="datetime64[D]")
    except (*UNREADABLE, NiftyFormerError, OSError, LookupError, TypeError):
        return None
    return dates if len(dates) and settings.workspace.market_panel.is_file() else None


def load_experiments(
    folder: Path,
    market: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    wrong: dict[str, str] | None = None,
) -> dict[str, Experiment]:
    """The experiments of a folder's files by name, in order.

    Args:
        market: only those for this market.
        overrides: `section.key` -> value, put over every file before it is checked; what comes of it has
            names of its own (`overridden_name`).
        wrong: gets what is wrong with a file, by its stem, and the file is left out, whatever it is.

    Raises:
        NiftyFormerError: without `wrong`, a file has an unknown key, a wrong type or parts that
            overlap; the message names the file, the key and the reason.
    """
    found: dict[str, Experiment] = {}
    refused: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            experiment = read_experiment_file(path, overrides or {})
            found[experiment.name] = experiment
        except NiftyFormerError as error:
            refused[path.stem] = in_one_line(error)
        except Exception as error:  # whatever is odd about one file is no reason to be without the others
            refused[path.stem] = in_one_line(f"{path} is not understood ({type(error).__name__}: {error}): mend it")
    if wrong is not None:
        wrong |= refused
    elif refused:
        raise NiftyFormerError(next(iter(refused.values())))
    return {name: experiment for name, experiment in found.items() if market is None or experiment.market == market}


def read_experiment_file(path: Path, overrides: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment of a file; errors as in `load_experiments`."""
    text, given = text_of(path), json.dumps(overrides or {}, default=str)
    return experiment_of(path, text, given)


def _overridden(settings: Settings, wrong: dict[str, str]) -> dict[str, Experiment]:
    if not settings.overrides:
        return {}
    return load_experiments(settings.experiments, settings.market, settings.overrides, wrong)


def _no_such_experiment(settings: Settings, name: str, known: Sequence[str]) -> str:
    others = load_experiments(settings.experiments, wrong={})
    if name in others:
        market = others[name].market
        workspace = (
            f"NIFTYFORMER_WORKSPACE=demo{' and without --replay' if settings.source == 'replay' else ''}"
            if market == "simulated"
            else "NIFTYFORMER_WORKSPACE=nifty200 (Zerodha, with KITE_API_KEY) or --replay FOLDER"
        )
        return (
            f"experiment {name!r} is for the {market} market and workspace {settings.workspace.name} has the "
            f"{settings.market} one: choose the workspace with {workspace}, or one of {', '.join(known) or 'none'}"
        )
    if (plainly := _without_path(name)) in known:
        return f"an experiment is named without its folder and .yaml: {plainly}"
    if NAME.fullmatch(name) and (settings.studies / f"{name}.yaml").is_file():
        return f"{name} is a study, no experiment: niftyformer study {name}"
    # A file of a name that is refused is no way out.
    file = name if NAME.fullmatch(name) else "NAME"
    return (
        f"there is no experiment {name!r} for the {settings.market} market: choose one of "
        f"{', '.join(known) or 'none'}, or write {settings.experiments / file}.yaml"
    )


def _without_path(name: str) -> str:
    """What a file is the experiment or study of; "" for what is no file's name."""
    return Path(name).stem if name.endswith(".yaml") else ""
