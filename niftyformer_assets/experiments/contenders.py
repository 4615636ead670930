"""Who takes part in a study: which contender is made of which windows, seeds and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.study import Ensemble, Planned, Study
from niftyformer_assets.experiments.study_contenders import named, named_seed
from niftyformer_assets.market.scope import Scope, scope
from niftyformer_assets.market.universe import load_universe
from niftyformer_assets.model.predictions import BASELINE, read_predictions
from niftyformer_assets.portfolio.evidence.joined import JoinedScores, Window, ensemble, join_scores
from niftyformer_assets.portfolio.evidence.pooled.contenders import POINT, Contender, Kind
from niftyformer_assets.portfolio.names import MODEL
from niftyformer_assets.store.arrays import load_arrays
from niftyformer_assets.store.index import entered_digests
from niftyformer_assets.store.workspace import Workspace


class Scopes:
    """What each experiment of a study takes of the market panel; worked out once where they take the same.

    panel: open, high, low, close, volume, segment on `axes`, all sessions and all symbols at hand.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.panel, self.axes = load_arrays(workspace.market_panel)
        self._universe = load_universe(workspace.universe)
        self._known: dict[str, Scope] = {}

    def of(self, experiment: Experiment) -> Scope:
        """The scope of an experiment."""
        if (key := self.key(experiment)) not in self._known:
            self._known[key] = scope(
                *(self.panel["close"], self.axes, self._universe),
                *(experiment.sessions, experiment.universe, self.panel["volume"]),
            )
        return self._known[key]

    @staticmethod
    def key(experiment: Experiment) -> str:
        """The same for experiments that have the same scope."""
        return f"{experiment.sessions} {experiment.universe}"


def contenders_of(study: Study, workspace: Workspace, planned: Sequence[Planned]) -> list[Contender]:
    """The contenders of a study, from what its experiments predict: of each point of the grid the model, its further
    seeds, its baselines and its ensembles.

    Windows of one point and seed are one contender. Contenders with the same predictions share one series.

    Args:
        planned: the experiments of the study that have predictions, at least one.

    Raises:
        NiftyFormerError: predictions are missing or damaged, or do not fit together (`join_scores`, `ensemble`).
    """
    return _Joining(study, workspace, planned).contenders()


class _Joining:
    """The scores that are joined so far, for contenders that share them."""

    def __init__(self, study: Study, workspace: Workspace, planned: Sequence[Planned]) -> None:
        self.study, self.workspace, self.planned = study, workspace, planned
        self._scopes = Scopes(workspace)
        self._joined: dict[tuple[Any, ...], JoinedScores] = {}

    def contenders(self) -> list[Contender]:
        settings = self.study.settings
        # Named points differ in this and that: their name says it.
        points = [(label, {POINT: label} if settings.points else values) for label, values in settings.varied]
        made: list[Contender] = []
        models: dict[str, list[Contender]] = {}
        plain: dict[str, dict[str, Contender]] = {}
        for label, values in points:
            seeds = self._models(label, values)
            if not seeds:
                continue
            models[label], plain[label] = seeds, {}
            made += seeds
            # Of the first seed that is there; they are the same beside each.
            first = self._of(label, min(each.seed for each in self.planned if each.point == label))
            for name in first[0].experiment.rivals:
                contender = self._baseline(label, name, first, values)
                same = next(
                    (c for of in plain.values() for n, c in of.items() if n == name and _alike(c, contender)), None
                )
                plain[label][name] = same or contender
                if same is None or contender.name in (settings.judge, settings.against):
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
            name = named(named_seed(seed), label)
            found.append(self._contender(name, kind, planned, "predictions", None, point))
        return found

    def _baseline(self, label: str, name: str, planned: list[Planned], values: Mapping[str, Any]) -> Contender:
        return self._contender(named(name, label), "baseline", planned, "baseline_predictions", name, values)

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
                    named(name, label), "ensemble", ensemble([c.scores for c in distinct]), first.strategy, first.costs
                )
            )
        return found

    def _of(self, label: str, seed: int) -> list[Planned]:
        return [each for each in self.planned if each.point == label and each.seed == seed]

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
            (getattr(self.workspace.experiment(each.experiment.name), artifact), self._scopes.key(each.experiment))
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
                place = self._scopes.of(each.experiment)
                tested = place.axes.dates[place.split.test]
                windows.append(
                    Window(each.window or self.study.name, place, frame, tested[0].item(), tested[-1].item())
                )
            self._joined[key] = join_scores(self._scopes.axes, windows)
        return self._joined[key]


def _alike(one: Contender, other: Contender) -> bool:
    return one.scores is other.scores and one.strategy == other.strategy and one.costs == other.costs
