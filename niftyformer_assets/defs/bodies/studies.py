"""The assets of a study: the scores of all its windows joined, and the report on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs.artifact_asset import Made
from niftyformer_assets.defs.bodies.backtest import MARKETS, index_levels, shown_pictures
from niftyformer_assets.defs.made_with import must_be_made_with
from niftyformer_assets.defs.results import table
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import begin, find_study
from niftyformer_assets.experiments.study import Ensemble, Planned, Study
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.market.scope import Scope, scope
from niftyformer_assets.market.sectors import sectors_in_force
from niftyformer_assets.market.size_proxy import load_size_proxy
from niftyformer_assets.model.predictions import BASELINE, read_predictions
from niftyformer_assets.portfolio.evidence.joined import JoinedScores, Window, ensemble, join_scores
from niftyformer_assets.portfolio.evidence.pooled.contenders import Contender, Kind
from niftyformer_assets.portfolio.evidence.pooled.gather import gather_pooled
from niftyformer_assets.portfolio.evidence.pooled.record import StudyRecord
from niftyformer_assets.portfolio.evidence.pooled.regimes import read_events
from niftyformer_assets.portfolio.evidence.study_predictions import read_contenders, write_contenders
from niftyformer_assets.portfolio.evidence.tries import Tries
from niftyformer_assets.portfolio.names import MODEL
from niftyformer_assets.report_server import study_address
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import entered_digests
from niftyformer_assets.store.provenance import flat_settings, must_be_as_recorded, must_have_record
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets.store.workspace import StudyFolder
from niftyformer_assets.words import counted

READ = ("predictions", "baseline_predictions")


def join_study(context: dg.AssetExecutionContext, settings: Settings) -> Made:
    """Join what the experiments of a study predict; those that have not are named."""
    study = find_study(settings, context.partition_key)
    found, missing = _predicted(study, settings)
    if not found:
        begin(settings, study)
        raise NiftyFormerError(
            f"no experiment of study {study.name} has predictions: run niftyformer study {study.name}, or backfill its "
            f"{counted(len(study.planned), 'experiment')}, which the web UI shows as partitions within a minute"
        )
    for name, reason in missing.items():
        context.log.warning(f"{name} is left out: {reason}")
    contenders = _Joining(study, settings, found).contenders()
    folder = settings.workspace.study(study.name)
    rows = write_contenders(folder.predictions, folder.contenders, contenders, list(missing))
    scores = contenders[0].scores
    return Made(
        {
            "dagster/row_count": rows,
            "windows": len(scores.names),
            "sessions": int((scores.window >= 0).sum()),
            "from": str(scores.axes.dates[0]),
            "to": str(scores.axes.dates[scores.sessions - 1]),
            "missing": ", ".join(missing) or "none",
            "contenders": table(
                pd.DataFrame({"name": [c.name for c in contenders], "kind": [c.kind for c in contenders]})
            ),
        }
    )


def report_study(context: dg.AssetExecutionContext, settings: Settings) -> Made:
    """Judge the joined scores, and write the report."""
    from niftyformer_assets.portfolio.report.background import Background
    from niftyformer_assets.portfolio.report.study_report import write_study_report

    study, workspace = find_study(settings, context.partition_key), settings.workspace
    folder = workspace.study(study.name)
    _require_joined_as_set(study, folder)
    panel, axes = load_arrays(workspace.market_panel)
    contenders, missing = read_contenders(folder.predictions, folder.contenders, axes)
    scores = contenders[0].scores
    first, last = (str(scores.axes.dates[place]) for place in (0, scores.sessions - 1))
    tries = Tries(workspace.tries, _decides_beside_sessions)
    evidence = gather_pooled(
        StudyRecord(
            panel,
            axes,
            index_levels(settings),
            sectors_in_force(read_parquet(workspace.sector_dummies), axes.symbols, axes.dates),
            load_size_proxy(workspace.size_proxy, axes),
            read_events(),
        ),
        contenders,
        main=_judged(study, contenders),
        variants=len(tries.on(first, last) | {tries.variant(each.experiment.values()) for each in study.planned}),
        missing=missing,
        seed=study.base.seed,
    )
    background = Background(
        experiment=study.name,
        market=MARKETS[settings.source],
        label=study.base.windows.label,
        survivorship=_survivorship(study, settings, panel, axes),
        settings=study.values(),
    )
    written = write_study_report(folder.report, evidence, background)
    return Made(
        {
            "dagster/row_count": len(evidence.dates),
            "report": dg.MetadataValue.url(study_address(settings, study.name)),
            "verdict": written.verdict,
            **{name: float(value) for name, value in written.figures.items()},
            "missing": ", ".join(missing) or "none",
            **shown_pictures(written),
        }
    )


def _require_joined_as_set(study: Study, folder: StudyFolder) -> None:
    """Refuse scores that were joined when the study's file, or its experiment's, said something else.

    Raises:
        NiftyFormerError: so they were, or they are not the ones that were recorded.
    """
    record = must_have_record(folder.provenance, "study_predictions")
    before, now = flat_settings(record.settings), flat_settings(study.values())
    if found := [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]:
        raise NiftyFormerError(
            f"study_predictions of {study.name} were made with another {found[0]} ({before.get(found[0])}; it is "
            f"{now.get(found[0])} now): materialize study_predictions again, or change the study back."
        )
    must_be_as_recorded(folder.provenance, record)


def _survivorship(study: Study, settings: Settings, panel: Mapping[str, np.ndarray], axes: Axes) -> str:
    """What the first and the last window say of stocks that left the index."""
    universe = read_parquet(settings.workspace.universe)
    found = {
        each.window: scope(
            panel["close"], axes, universe, each.experiment.sessions, each.experiment.universe, panel["volume"]
        ).survivorship
        for each in (study.planned[0], study.planned[-1])
    }
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return " ".join(f"Window {window}: {said}" for window, said in found.items())


def _decides_beside_sessions(values: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two variants of a study: its windows are tries of one."""
    return what_decides({section: value for section, value in values.items() if section != "sessions"})


def _predicted(study: Study, settings: Settings) -> tuple[list[Planned], dict[str, str]]:
    """The experiments that have predictions made with their settings, and the others with why they have not."""
    found, missing = [], {}
    for planned in study.planned:
        name = planned.experiment.name
        try:
            must_be_made_with(planned.experiment, settings.workspace.experiment(name), READ)
        except NiftyFormerError as error:
            missing[name] = str(error)
        else:
            found.append(planned)
    return found, missing


def _judged(study: Study, contenders: list[Contender]) -> str:
    """Whom the verdict is about: whom the study's file names, or the first ensemble, or the model."""
    names = [contender.name for contender in contenders]
    wanted = study.settings.judge
    if wanted:
        if wanted not in names:
            raise NiftyFormerError(
                f"study {study.name} is to judge {wanted!r}, and has no such contender: name one of {', '.join(names)}"
            )
        return wanted
    ensembles = [contender.name for contender in contenders if contender.kind == "ensemble"]
    return (ensembles or names)[0]


class _Joining:
    """The contenders of a study, from what its experiments predict.

    Windows of one point and seed are one contender. Contenders with the same predictions share one series.
    """

    def __init__(self, study: Study, settings: Settings, found: list[Planned]) -> None:
        self.study, self.workspace, self.found = study, settings.workspace, found
        panel, self.axes = load_arrays(self.workspace.market_panel)
        self._panel, self._universe = panel, read_parquet(self.workspace.universe)
        self._scopes: dict[str, Scope] = {}
        self._joined: dict[tuple[Any, ...], JoinedScores] = {}

    def contenders(self) -> list[Contender]:
        """Of each point of the grid its model, further seeds, baselines and ensembles."""
        points = self.study.settings.points
        made: list[Contender] = []
        models: dict[str, list[Contender]] = {}
        plain: dict[str, dict[str, Contender]] = {}
        for label, values in points:
            seeds = self._models(label, values)
            if not seeds:
                continue
            models[label], plain[label] = seeds, {}
            made += seeds
            for name in self._of(label, 1)[0].experiment.rivals:
                contender = self._baseline(label, name, values)
                same = next(
                    (c for of in plain.values() for n, c in of.items() if n == name and _alike(c, contender)), None
                )
                plain[label][name] = same or contender
                if same is None:
                    made.append(contender)
        for name, wanted in self.study.settings.ensembles.items():
            made += self._ensembles(name, wanted, models, plain)
        return made

    def _models(self, label: str, values: Mapping[str, Any]) -> list[Contender]:
        found = []
        for seed in range(1, self.study.settings.seeds + 1):
            planned = self._of(label, seed)
            if not planned:
                continue
            kind: Kind = "model" if seed == 1 else "seed"
            point = {**values, **({"seed": seed} if self.study.settings.seeds > 1 else {})}
            name = _named(MODEL if seed == 1 else f"{MODEL}, seed {seed}", label)
            found.append(self._contender(name, kind, planned, "predictions", None, point))
        return found

    def _baseline(self, label: str, name: str, values: Mapping[str, Any]) -> Contender:
        return self._contender(
            _named(name, label), "baseline", self._of(label, 1), "baseline_predictions", name, values
        )

    def _ensembles(
        self,
        name: str,
        wanted: Ensemble,
        models: Mapping[str, list[Contender]],
        plain: Mapping[str, Mapping[str, Contender]],
    ) -> list[Contender]:
        def parts(label: str) -> list[Contender]:
            own = models[label] if "seeds" in wanted.over else models[label][:1]
            return [c for model in wanted.models for c in (own if model == MODEL else [plain[label][model]])]

        groups = (
            {"": [c for label in models for c in parts(label)]}
            if "grid" in wanted.over
            else {label: parts(label) for label in models}
        )
        found = []
        for label, of in groups.items():
            distinct = list({id(c.scores): c for c in of}.values())
            first = of[0]
            found.append(
                Contender(
                    _named(name, label), "ensemble", ensemble([c.scores for c in distinct]), first.strategy, first.costs
                )
            )
        return found

    def _of(self, label: str, seed: int) -> list[Planned]:
        return [each for each in self.found if each.point == label and each.seed == seed]

    def _contender(
        self,
        name: str,
        kind: Kind,
        planned: list[Planned],
        artifact: str,
        baseline: str | None,
        point: Mapping[str, Any],
    ) -> Contender:
        first = planned[0].experiment
        return Contender(
            name, kind, self._scores(planned, artifact, baseline), first.strategy, first.costs, dict(point)
        )

    def _scores(self, planned: list[Planned], artifact: str, baseline: str | None) -> JoinedScores:
        """The joined scores of windows; the same object for the same files in the same universe."""
        files = [
            (getattr(self.workspace.experiment(each.experiment.name), artifact), self._scope_key(each.experiment))
            for each in planned
        ]
        key = (
            baseline,
            *((str(entered_digests([path], path.parent)), of_scope) for path, of_scope in files),
        )
        if key not in self._joined:
            windows = []
            for each, (path, _) in zip(planned, files, strict=True):
                frame = read_predictions(path)
                if baseline is not None:
                    frame = frame[frame[BASELINE] == baseline]
                place = self._scope(each.experiment)
                tested = place.axes.dates[place.split.test]
                windows.append(
                    Window(each.window or self.study.name, place, frame, tested[0].item(), tested[-1].item())
                )
            self._joined[key] = join_scores(self.axes, windows)
        return self._joined[key]

    def _scope(self, experiment: Experiment) -> Scope:
        key = self._scope_key(experiment)
        if key not in self._scopes:
            self._scopes[key] = scope(
                self._panel["close"],
                self.axes,
                self._universe,
                experiment.sessions,
                experiment.universe,
                self._panel["volume"],
            )
        return self._scopes[key]

    @staticmethod
    def _scope_key(experiment: Experiment) -> str:
        return f"{experiment.sessions} {experiment.universe}"


def _named(name: str, label: str) -> str:
    return f"{name} ({label})" if label else name


def _alike(one: Contender, other: Contender) -> bool:
    return one.scores is other.scores and one.strategy == other.strategy and one.costs == other.costs
