"""What each artifact is: where it lies, what it reads, what decides on it, and whose code makes it.

A row an artifact, and one place for it: the dependencies that Dagster knows, the inputs that provenance records,
what is refused because it was made with other settings, the jobs and the code versions all follow from the rows.
Paths are those of `store/workspace.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.factors.settings import FACTOR_SETS
from niftyformer_assets.model.baseline_settings import own_settings
from niftyformer_assets.model.settings import STOCKFORMER
from niftyformer_assets.store.workspace import ExperimentFolder, Workspace

Scope = Literal["workspace", "symbol", "experiment"]
# The phases in which a graph is made, in this order: one kind of partition a run.
Phase = Literal["reference", "candles", "panels", "experiment", "comparison"]


class Read(NamedTuple):
    """An artifact that another one reads.

    where: by the settings of some experiments only.
    without: sections that decide on it, but on nothing of it that is read.
    """

    artifact: str
    where: Callable[[Experiment], bool] = lambda _experiment: True
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Artifact:
    """One row.

    scope: what there is one of it for; paths are asked of the workspace, or of the experiment's folder.
    files: that it consists of, the one to show first; folders count with all that is in them.
    reads: the artifacts that it is made from.
    sections: of an experiment's settings, which decide on it beside those that decide on what it reads; None is all.
    part: what of those sections decides, where not all of them does.
    made_by: the packages whose code makes it, its own first, and modules where a package is not meant whole.
    kinds, words: shown in the web UI.
    read_as: the files that its readers read; by itself the first.
    also: files that it reads and no asset makes, or not alone.
    after: what must have been made, and fit, before, though it is not read.
    has_card: it says itself what it is of, and may come from a machine where nothing was recorded.
    """

    name: str
    scope: Scope
    files: Callable[[Any], tuple[Path, ...]]
    made_by: tuple[str, ...]
    kinds: frozenset[str]
    words: str
    reads: tuple[Read, ...] = ()
    sections: Callable[[Experiment], frozenset[str] | None] = lambda _experiment: frozenset()
    part: Callable[[Experiment, dict[str, Any]], dict[str, Any]] = lambda _experiment, values: values
    read_as: Callable[[Any], tuple[Path, ...]] | None = None
    also: Callable[[Workspace, Experiment | None], tuple[Path, ...]] = lambda _workspace, _experiment: ()
    after: tuple[Read, ...] = ()
    has_card: bool = False

    @property
    def group(self) -> str:
        return self.made_by[0]

    @property
    def may_read(self) -> tuple[str, ...]:
        """The artifacts that it reads by the settings of some experiment."""
        return tuple(dict.fromkeys(read.artifact for read in self.reads))

    @property
    def may_follow(self) -> tuple[str, ...]:
        """Those, and what must be made before, by the settings of some experiment."""
        return tuple(dict.fromkeys([*self.may_read, *(read.artifact for read in self.after)]))

    def read_for(self, experiment: Experiment | None) -> tuple[Read, ...]:
        """What it reads by the settings of one experiment; all without one."""
        return tuple(read for read in self.reads if experiment is None or read.where(experiment))

    def fit_for(self, experiment: Experiment) -> tuple[str, ...]:
        """The artifacts that must fit before it is made, by the settings of an experiment."""
        return tuple(read.artifact for read in (*self.after, *self.reads) if read.where(experiment))

    def readable(self, place: Workspace | ExperimentFolder) -> tuple[Path, ...]:
        """The files that readers read."""
        return self.read_as(place) if self.read_as is not None else self.files(place)[:1]


@cache
def artifacts(factor_sets: tuple[str, ...] = ("alpha158",)) -> Mapping[str, Artifact]:
    """The rows by name, each after those that it reads.

    Args:
        factor_sets: that experiments take their factors from; each has a panel.
    """
    rows = (
        *_market(),
        *_factors(factor_sets),
        *_dataset(),
        *_model(),
        *_portfolio(),
    )
    return {row.name: row for row in rows}


def sections_of(name: str, experiment: Experiment) -> frozenset[str] | None:
    """The sections of an experiment's settings that decide on one of its artifacts; None is all."""
    rows = artifacts(FACTOR_SETS)
    found = rows[name].sections(experiment)
    for read in rows[name].read_for(experiment):
        if found is not None and rows[read.artifact].scope == "experiment":
            above = sections_of(read.artifact, experiment)
            found = None if above is None else found | (above - read.without)
    return found


def deciding_settings(experiment: Experiment, name: str) -> dict[str, Any]:
    """The settings that decide on one of an experiment's artifacts, as JSON values."""
    sections = sections_of(name, experiment)
    if sections is None:
        return experiment.values()
    return artifacts()[name].part(experiment, experiment.model_dump(mode="json", include=set(sections)))


def read_files(
    row: Artifact,
    workspace: Workspace,
    experiment: Experiment | None,
    all_experiments: Iterable[str] = (),
    rows: Mapping[str, Artifact] | None = None,
) -> list[Path]:
    """The files of the artifacts that an artifact reads.

    Args:
        experiment: whose artifact it is; None for one of the workspace.
        all_experiments: of which an artifact of the workspace reads what it reads of experiments.
    """
    rows = rows if rows is not None else artifacts()
    found: list[Path] = []
    for of in (rows[read.artifact] for read in row.read_for(experiment)):
        if of.scope != "experiment":
            found += of.readable(workspace)
        else:
            names = [experiment.name] if experiment is not None else all_experiments
            found += [path for name in names for path in of.readable(workspace.experiment(name))]
    return found


def phase_of(row: Artifact, rows: Mapping[str, Artifact]) -> Phase:
    """The phase in which an artifact is made: what is of the workspace waits for what it follows."""
    if row.scope != "workspace":
        return "candles" if row.scope == "symbol" else "experiment"
    above = {phase_of(rows[name], rows) for name in row.may_follow}
    if above & {"experiment", "comparison"}:
        return "comparison"
    return "panels" if above & {"candles", "panels"} else "reference"


def phases(rows: Mapping[str, Artifact]) -> dict[Phase, tuple[str, ...]]:
    """The artifacts of each phase, in the order in which they depend on each other."""
    order: Sequence[Phase] = ("reference", "candles", "panels", "experiment", "comparison")
    return {phase: tuple(row.name for row in rows.values() if phase_of(row, rows) == phase) for phase in order}


SCOPE_SECTIONS = frozenset({"sessions", "universe"})
# What decides on an experiment's sessions and symbols.
SCOPE = ("universe", "market_panel")


def _row(
    name: str,
    scope: Scope,
    files: Callable[[Any], tuple[Path, ...]],
    made_by: tuple[str, ...],
    kinds: set[str],
    words: str,
    *,
    reads: tuple[str | Read, ...] = (),
    after: tuple[str | Read, ...] = (),
    sections: frozenset[str] | Callable[[Experiment], frozenset[str] | None] = frozenset(),
    **more: Any,
) -> Artifact:
    def all_read(given: tuple[str | Read, ...]) -> tuple[Read, ...]:
        return tuple(Read(each) if isinstance(each, str) else each for each in given)

    return Artifact(
        *(name, scope, files, made_by, frozenset(kinds), words),
        reads=all_read(reads),
        after=all_read(after),
        sections=sections if callable(sections) else lambda _experiment: sections,
        **more,
    )


def _market() -> tuple[Artifact, ...]:
    made_by = ("market",)
    cleaned = ("market", "defs/bodies/quality.py")
    return (
        _row(
            "universe",
            "workspace",
            lambda place: (place.universe,),
            ("market", "defs/bodies/index_lists.py"),
            {"nse", "parquet"},
            "Who is and was in the index, from NSE's constituent lists.\n\n"
            "`universe.parquet`: a row a spell of membership in one sector: symbol (the latest one of a renamed "
            "stock), company, ISIN, industry, macro-economic sector, member_from, member_to (empty while it lasts), "
            "lists_from (the earliest list at hand). New symbols appear in `raw_ohlcv` within a minute.",
        ),
        _row(
            "sector_dummies",
            "workspace",
            lambda place: (place.sector_dummies,),
            made_by,
            {"parquet"},
            "A 0/1 column for each of NSE's 12 macro-economic sectors, from `universe`.\n\n"
            "`sector_dummies.parquet`: a row a symbol and sector; since (the list that first had it there, empty for "
            "the first one at hand); exactly one of the twelve columns is 1.",
            reads=("universe",),
        ),
        _row(
            "raw_ohlcv",
            "symbol",
            lambda place: (place.raw,),
            ("market", "defs/bodies/candles.py"),
            {"kite", "parquet"},
            "Daily candles by symbol, from Kite Connect, adjusted for corporate actions as Kite gives them.\n\n"
            "`raw/SYMBOL.parquet`: date, open, high, low, close (rupees), volume (shares). A run over many symbols is "
            "one run; each that fails is red with its reason and leaves its file as it was, and *Failed* backfills "
            "just those. A symbol without candles is materialized with zero rows and the reason.",
            # Without this the web UI takes the symbols for the root of "Materialize all" and leaves the experiments
            # out.
            after=("universe",),
        ),
        _row(
            "benchmark_index",
            "workspace",
            lambda place: (place.benchmark_index,),
            # The index may be read from a file of any vendor.
            ("market", "vendors", "defs/bodies/benchmark.py"),
            {"kite", "parquet"},
            "The NIFTY 50 by session, from Kite Connect or a file: what a person gets without choosing.\n\n"
            "`benchmark_index.parquet`: date, open, high, low, close (points, without dividends), total_return "
            "(points with dividends, where a file gives them).",
        ),
        _row(
            "data_quality_report",
            "workspace",
            lambda place: (place.data_quality_report, place.data_quality_text),
            cleaned,
            {"parquet", "markdown"},
            "What is right and wrong with each symbol's candles, from `raw_ohlcv` and `universe`.\n\n"
            "`data_quality_report.parquet`: a row a symbol with its verdict and why; `data_quality_report.md`: the "
            "same to read. What was quarantined never reaches a factor, a label or a price.",
            reads=("raw_ohlcv", "universe"),
        ),
        _row(
            "market_panel",
            "workspace",
            lambda place: (place.market_panel,),
            cleaned,
            {"numpy"},
            "All candles as arrays on the exchange's sessions, from `raw_ohlcv` and what `data_quality_report` "
            "quarantined.\n\n"
            "`market_panel.npz`: open, high, low, close (rupees), volume (shares), missing = NaN, and segment, the "
            "number of the unbroken stretch of a stock's prices (-1 before its first candle): each "
            "[sessions, symbols].",
            reads=("raw_ohlcv", "universe"),
            after=("data_quality_report",),
        ),
        _row(
            "size_proxy",
            "workspace",
            lambda place: (place.size_proxy,),
            made_by,
            {"parquet"},
            "How large a stock is, as far as candles tell, from `market_panel`: neutralisation takes it out of "
            "factors.\n\n"
            "`size_proxy.parquet`: date, symbol, log_size = log(close × mean volume of 60 sessions), natural logarithm "
            "of rupees; missing with fewer than 20 of the 60.",
            reads=("market_panel",),
        ),
    )


def _factors(factor_sets: tuple[str, ...]) -> tuple[Artifact, ...]:
    made_by = ("factors", "market")
    selecting = ("factors", "market", "experiments/opened.py", "defs/bodies/selection.py")

    panels = tuple(
        Read(f"{name}_panel", lambda experiment, name=name: experiment.factors.factor_set == name)  # type: ignore[misc]
        for name in factor_sets
    )
    return (
        _row(
            "returns",
            "workspace",
            lambda place: (place.returns,),
            made_by,
            {"csv"},
            "Daily returns, from `market_panel`: what is predicted, one and two sessions ahead.\n\n"
            "`label.csv`: (close − previous close) / previous close [sessions × symbols], simple return, not percent; "
            "empty where there is none, as on the first session after a broken adjustment.",
            reads=("market_panel",),
        ),
        *(_panel(name) for name in factor_sets),
        _row(
            "ic_summary",
            "experiment",
            lambda place: (place.ic_summary, place.selected_factors),
            selecting,
            {"csv"},
            "How well each factor orders the stocks by their next return, and which are kept, from the factor panel "
            "and `returns` of the training sessions only.\n\n"
            "`ic_summary.csv`: a row a factor with its daily information coefficients; `selected_factors.txt`: those "
            "kept. Validation and test coefficients of the kept ones are shown beside, not used.",
            reads=(*panels, "returns", "size_proxy", "sector_dummies", *SCOPE),
            sections=SCOPE_SECTIONS | {"factors"},
            read_as=lambda place: (place.selected_factors,),
        ),
        _row(
            "neutralized_factors",
            "experiment",
            lambda place: (place.neutralized_factors, place.factors),
            selecting,
            {"numpy", "csv"},
            "The selected factors without size and sector, from `ic_summary`, the factor panel, `size_proxy` and "
            "`sector_dummies`.\n\n"
            "`factors/NAME.csv` [sessions × symbols] and `neutralized_factors.npz`: residuals of each session's "
            "regression, standardised on each session; missing = 0, with `valid` beside.",
            reads=(*panels, "ic_summary", "size_proxy", "sector_dummies", *SCOPE),
            sections=SCOPE_SECTIONS | {"factors"},
        ),
    )


def _panel(factor_set: str) -> Artifact:
    """The panel of a factor set: one mechanism for ours and a user's own."""
    words = {
        "alpha158": "Qlib's Alpha158, from `market_panel`: 158 factors of a stock's own candles.\n\n"
        "`alpha158.parquet`: date, symbol, 158 columns (float32); a row for each stock from its first candle on. "
        "docs/factors.md has every formula. Only new sessions are computed when candles were added.",
        "alpha360": "Qlib's Alpha360, from `market_panel`: the last 60 sessions of each field, scaled by the session's "
        "close.\n\n`alpha360.parquet`: date, symbol, 360 columns (float32).",
    }
    own = (
        "Your own factors (`factors/own.py`), from `market_panel`; with Alpha158 before them in `alpha158_own`.\n\n"
        f"`{factor_set}.parquet`: date, symbol, a column a factor (float32)."
    )
    return _row(
        f"{factor_set}_panel",
        "workspace",
        lambda place: (place.factor_panel(factor_set),),
        ("factors", "market", "defs/bodies/factor_panels.py"),
        {"numba" if factor_set in words else "python", "parquet"},
        words.get(factor_set, own),
        reads=("market_panel",),
    )


def _dataset() -> tuple[Artifact, ...]:
    made_by = ("dataset", "market", "experiments/opened.py", "defs/assets/dataset.py")
    return (
        _row(
            "flow",
            "experiment",
            lambda place: (place.flow, place.stockformer_conf),
            (*made_by, "defs/bodies/experiment_file.py"),
            {"numpy", "wavelet"},
            "Daily returns and their wavelet bands, from `returns`.\n\n"
            "`flow.npz`: `result` [sessions, symbols] (missing = 0), `low_freq` and `high_freq` "
            "[windows, sessions of a window, symbols]; simple returns, not percent. Each window is decomposed by "
            "itself, so no band sees past its window. Beside it `experiment.json` and `stockformer.conf`, with which "
            "the published code trains on this folder.",
            reads=("returns", *SCOPE),
            sections=SCOPE_SECTIONS | {"windows", "wavelet"},
        ),
        _row(
            "trend_indicator",
            "experiment",
            lambda place: (place.trend_indicator,),
            made_by,
            {"numpy"},
            "Whether each return is above 0, from `returns`.\n\n"
            "`trend_indicator.npz`: `result` 0/1 [sessions, symbols] (missing = 0) and `valid`, False where there was "
            "no return.",
            reads=("returns", *SCOPE),
            sections=SCOPE_SECTIONS,
        ),
        _row(
            "corr_adj",
            "experiment",
            lambda place: (place.corr_adj, place.corr_graph),
            made_by,
            {"numpy", "networkx"},
            "The graph of stocks that move together, from `returns` of the training sessions only (or from "
            "`neutralized_factors`, by a setting).\n\n"
            "`corr_adj.npy`: correlations [symbols, symbols], those under the threshold and the diagonal 0; "
            "`corr_adj.graphml`: the same as a graph with every symbol and its sector.",
            reads=(
                "returns",
                *SCOPE,
                Read("neutralized_factors", lambda experiment: experiment.graph.source == "factors"),
            ),
            sections=SCOPE_SECTIONS | {"graph"},
        ),
        _row(
            "graph_embeddings",
            "experiment",
            lambda place: (place.graph_embeddings,),
            made_by,
            {"numpy", "gensim"},
            "A vector for each stock that says where it stands in `corr_adj`: struc2vec, spectral or none.\n\n"
            "`128_corr_struc2vec_adjgat.npy`: [symbols, dimensions], rows in the order of the symbols. The name is "
            "the published one, whatever the setting.",
            reads=("corr_adj", *SCOPE),
            sections=frozenset({"graph", "seed"}),
        ),
    )


def _is_stockformer(experiment: Experiment) -> bool:
    return experiment.model.name == STOCKFORMER


def _against_stockformer(experiment: Experiment) -> bool:
    return STOCKFORMER in experiment.rivals


def _not(where: Callable[[Experiment], bool]) -> Callable[[Experiment], bool]:
    return lambda experiment: not where(experiment)


def _of_model(experiment: Experiment) -> frozenset[str]:
    """The sections that decide on the model, whichever it is."""
    own = {"graph", "training"} if _is_stockformer(experiment) else {"baselines"}
    return frozenset({"model", "seed", *own})


def _own_settings(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Of a baseline that is the model nothing but its own settings decides."""
    if _is_stockformer(experiment):
        return values
    name = experiment.model.name
    return values | {"model": {"name": name}, "baselines": own_settings(name, values["baselines"])}


def _settings_of_rivals(experiment: Experiment, values: dict[str, Any]) -> dict[str, Any]:
    """Of the models that the model is compared with, and the Stockformer's own where it is one of them."""
    of_stockformer = {"model": {**values["model"], "name": STOCKFORMER}} if _against_stockformer(experiment) else {}
    return values | of_stockformer | {"baselines": values["baselines"] | {"names": list(experiment.rivals)}}


def _model() -> tuple[Artifact, ...]:
    made_by = (
        "model",
        "dataset",
        "market",
        "experiments/opened.py",
        "defs/bodies/training.py",
        "defs/bodies/experiment_file.py",
    )

    def read_where(stockformer: Callable[[Experiment], bool]) -> tuple[str | Read, ...]:
        """What models read, by whether the Stockformer is one of them: it alone has use for bands and graph."""
        return (
            Read("flow", stockformer),
            Read("flow", _not(stockformer), without=frozenset({"wavelet"})),
            *("trend_indicator", "neutralized_factors"),
            Read(
                "graph_embeddings", lambda experiment: stockformer(experiment) and experiment.graph.embedding != "none"
            ),
        )

    reads = read_where(_is_stockformer)

    def experiment_json(workspace: Workspace, experiment: Experiment | None) -> tuple[Path, ...]:
        # A baseline's own settings are all that it takes from it.
        if experiment is None or not _is_stockformer(experiment):
            return ()
        return (workspace.experiment(experiment.name).settings,)

    return (
        _row(
            "trained_model",
            "experiment",
            lambda place: (place.model,),
            made_by,
            {"pytorch"},
            "The model that is traded, fitted on the training sessions of the experiment's folder: the "
            "Multitask-Stockformer, of which the epoch with the best validation error is kept, or the baseline that "
            "`model.name` names.\n\n"
            "`model/`: `best.pt`, `last.pt` (training goes on from there when it was interrupted), metrics and a "
            "TensorBoard log, or a baseline's `learned.npz`; `model.json` says what it was fitted on. Errors are in "
            "units of the label: simple returns, or standardised ranks.",
            reads=reads,
            after=(Read("corr_adj", _is_stockformer),),
            sections=_of_model,
            part=_own_settings,
            also=experiment_json,
            read_as=lambda place: (
                *(place.model / name for name in ("model.json", "best.pt", "learned.npz")),
                *sorted(place.model.glob("seed-*/best.pt")),
            ),
            has_card=True,
        ),
        _row(
            "predictions",
            "experiment",
            lambda place: (place.predictions,),
            made_by,
            {"pytorch", "parquet"},
            "What the trained model says of each stock one and two sessions ahead, from `trained_model`.\n\n"
            "`predictions.parquet`: date_made, date_predicted, horizon (sessions), symbol, split, return (or score, "
            "where the label is a rank or z-score), p_up (probability). The prediction with the longest horizon is "
            "the one that can be traded.",
            reads=("trained_model", *reads),
            after=(Read("corr_adj", _is_stockformer),),
            part=_own_settings,
            also=experiment_json,
        ),
        _row(
            "baseline_predictions",
            "experiment",
            lambda place: (place.baseline_predictions,),
            made_by,
            {"scikitlearn", "pytorch", "parquet"},
            "Predictions of simpler models of the same stocks on the same sessions: ridge, gradient boosting, random "
            "forest, LSTM, GRU, reversal, momentum, equal weight, zero, majority, random, but the one that is the "
            "model itself.\n\n"
            "`baseline_predictions.parquet`: as `predictions`, with the name of the baseline.",
            reads=(*read_where(_against_stockformer), *SCOPE),
            after=(Read("corr_adj", _against_stockformer),),
            sections=lambda experiment: (
                frozenset({"baselines", "seed"})
                | (frozenset({"model", "training", "graph"}) if _against_stockformer(experiment) else frozenset())
            ),
            part=_settings_of_rivals,
        ),
    )


def _portfolio() -> tuple[Artifact, ...]:
    made_by = ("portfolio", "factors", "dataset", "market", "experiments/opened.py", "defs/bodies/backtest.py")
    return (
        _row(
            "backtest_report",
            "experiment",
            lambda place: (place.backtest / "report.html", place.backtest),
            made_by,
            {"html", "parquet"},
            "What the predictions would have earned, from `predictions`, `baseline_predictions` and `market_panel`: "
            "scores of the close of a session, traded at the next one, in whole shares, with Zerodha's charges.\n\n"
            "`backtest/report.html`: the verdict in words first; beside it net asset value (rupees), trades, holdings "
            "and metrics as tables.",
            reads=(
                *("predictions", "baseline_predictions", "returns", "benchmark_index", *SCOPE),
                *("sector_dummies", "size_proxy", "data_quality_report"),
            ),
            sections=lambda _experiment: None,
            # How many variants were tried is said in the report too.
            also=lambda workspace, _experiment: (workspace.tries,),
            read_as=lambda place: (place.backtest / "metrics.json",),
        ),
        _row(
            "model_comparison",
            "workspace",
            lambda place: (place.comparison_csv, place.comparison_html),
            made_by,
            {"html", "csv"},
            "All experiments and baselines side by side, from every `backtest_report`.\n\n"
            "`comparison.csv` and `comparison.html`: ranked, with intervals; what has not been run is named.",
            reads=("backtest_report",),
            also=lambda workspace, _experiment: (workspace.tries,),
        ),
    )
