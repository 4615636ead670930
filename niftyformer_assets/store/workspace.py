"""Where each artifact lies.

A workspace is one source of candles with everything made from it. Its files are under
`data/{workspace}/`, those of an experiment under `data/{workspace}/experiments/{experiment}/`.
Names are those that the published Stockformer code reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote


@dataclass(frozen=True)
class Workspace:
    """The paths of one workspace. `data` is the folder that holds all workspaces."""

    data: Path
    name: str

    @property
    def root(self) -> Path:
        return self.data / self.name

    @property
    def index_lists(self) -> Path:
        """NSE's constituent lists as fetched, one file a date."""
        return self.root / "index_lists"

    @property
    def universe(self) -> Path:
        return self.root / "universe.parquet"

    @property
    def sector_dummies(self) -> Path:
        return self.root / "sector_dummies.parquet"

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    def candles(self, symbol: str) -> Path:
        """The candles of one symbol. The only place where a symbol becomes a file name."""
        return self.raw / f"{quote(symbol, safe='&')}.parquet"

    def held_back(self, symbol: str) -> Path:
        """An answer for one symbol that contradicts its candles, until it comes again on a later day."""
        return self.root / "held_back" / self.candles(symbol).name

    @staticmethod
    def symbol_of(candles: Path) -> str:
        """The symbol whose candles lie at this path."""
        return unquote(candles.stem)

    def new_set_aside(self) -> Path:
        """Make a folder for candles that others replace, numbered, so that none is ever overwritten."""
        number = 1
        while True:
            folder = self.root / "set_aside" / f"{number:03d}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                number += 1
            else:
                return folder

    @property
    def benchmark_index(self) -> Path:
        return self.root / "benchmark_index.parquet"

    @property
    def data_quality_report(self) -> Path:
        return self.root / "data_quality_report.parquet"

    @property
    def data_quality_text(self) -> Path:
        return self.root / "data_quality_report.md"

    @property
    def market_panel(self) -> Path:
        return self.root / "market_panel.npz"

    @property
    def size_proxy(self) -> Path:
        return self.root / "size_proxy.parquet"

    @property
    def returns(self) -> Path:
        return self.root / "label.csv"

    def factor_panel(self, factor_set: str) -> Path:
        """alpha158.parquet, alpha360.parquet: long tables (date, symbol, one column a factor)."""
        return self.root / f"{factor_set}.parquet"

    @property
    def comparison_csv(self) -> Path:
        return self.root / "comparison.csv"

    @property
    def comparison_html(self) -> Path:
        return self.root / "comparison.html"

    @property
    def experiment_log_csv(self) -> Path:
        return self.root / "experiments.csv"

    @property
    def experiment_log_html(self) -> Path:
        return self.root / "experiments.html"

    @property
    def signals(self) -> Path:
        """One file a session: what the model in use said at its close."""
        return self.root / "signals"

    def signal(self, session: str) -> Path:
        """The signal of a session, an ISO date."""
        return self.signals / f"{session}.parquet"

    @property
    def paper_account(self) -> Path:
        """The ledger of what the signals would have earned."""
        return self.root / "paper_account.jsonl"

    @property
    def model_watch(self) -> Path:
        """What the signals of the model in use were worth, session by session, beside its backtest."""
        return self.root / "model_watch.parquet"

    @property
    def model_drift(self) -> Path:
        """Its factors beside those of training."""
        return self.root / "model_drift.parquet"

    @property
    def orders(self) -> Path:
        """A page and a table a session: what to order after its close, by a real account's holdings."""
        return self.root / "orders"

    def orders_page(self, session: str) -> Path:
        """The page of a session, an ISO date."""
        return self.orders / f"{session}.html"

    def orders_table(self, session: str) -> Path:
        """The table beside it."""
        return self.orders / f"{session}.csv"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance"

    @property
    def tries(self) -> Path:
        """One file for each variant and test window of which a report was made."""
        return self.root / "tries"

    def made(self, artifact: str, fingerprint: str) -> Path:
        """Says which experiments have an artifact, by the fingerprint of its making; see `experiments/holders.py`."""
        return self.root / "made" / artifact / fingerprint

    def making_lock(self, artifact: str, fingerprint: str) -> Path:
        """Held by whoever makes it."""
        return self.root / "locks" / "making" / f"{artifact}-{fingerprint}.lock"

    def experiment_lock(self, name: str) -> Path:
        """Held by whoever makes anything of the experiment."""
        return self.root / "locks" / "experiments" / f"{name}.lock"

    def study(self, name: str) -> StudyFolder:
        return StudyFolder(self.root / "studies" / name)

    def experiment(self, name: str) -> ExperimentFolder:
        return ExperimentFolder(self.root / "experiments" / name)


@dataclass(frozen=True)
class ExperimentFolder:
    """The paths of one experiment. The folder is what the published Stockformer code loads."""

    root: Path

    @property
    def settings(self) -> Path:
        """The experiment as it was run, all defaults filled in."""
        return self.root / "experiment.json"

    @property
    def notes(self) -> Path:
        """How long each artifact took to make and on what, or that it was taken over."""
        return self.root / "notes.json"

    @property
    def stockformer_conf(self) -> Path:
        return self.root / "stockformer.conf"

    @property
    def ic_summary(self) -> Path:
        return self.root / "ic_summary.csv"

    @property
    def selected_factors(self) -> Path:
        return self.root / "selected_factors.txt"

    @property
    def factors(self) -> Path:
        """One CSV a factor, and nothing else: the published loader reads every file in it."""
        return self.root / "factors"

    @property
    def neutralized_factors(self) -> Path:
        return self.root / "neutralized_factors.npz"

    @property
    def flow(self) -> Path:
        return self.root / "flow.npz"

    @property
    def trend_indicator(self) -> Path:
        return self.root / "trend_indicator.npz"

    @property
    def corr_adj(self) -> Path:
        return self.root / "corr_adj.npy"

    @property
    def corr_graph(self) -> Path:
        return self.root / "corr_adj.graphml"

    @property
    def graph_embeddings(self) -> Path:
        """The name is the published one, whatever the setting of the embedding and its width."""
        return self.root / "128_corr_struc2vec_adjgat.npy"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.parquet"

    @property
    def network_predictions(self) -> Path:
        """Of each network by itself, where predictions are the mean of several."""
        return self.root / "network_predictions.parquet"

    @property
    def baseline_predictions(self) -> Path:
        return self.root / "baseline_predictions.parquet"

    @property
    def rivals(self) -> Path:
        """The folders of the models that the model is compared with."""
        return self.root / "rivals"

    def rival(self, name: str) -> Path:
        return self.rivals / name

    @property
    def backtest(self) -> Path:
        return self.root / "backtest"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance"


@dataclass(frozen=True)
class StudyFolder:
    """The paths of one study."""

    root: Path

    @property
    def predictions(self) -> Path:
        return self.root / "study_predictions.parquet"

    @property
    def contenders(self) -> Path:
        """Who takes part, and how their scores are traded."""
        return self.root / "contenders.json"

    @property
    def report(self) -> Path:
        """A folder with the page, its figures and curves."""
        return self.root / "report"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance"
