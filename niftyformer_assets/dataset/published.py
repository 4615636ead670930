"""`stockformer.conf`: the settings with which the published Stockformer code trains on an experiment's folder.

Sections and keys are those of its `config/Multitask_Stock.conf`. Copies of that code in circulation name
the folder of factors, the early stopping and the output folders in further keys; those are there too,
and unread keys do no harm.
"""

from __future__ import annotations

import configparser
import io
from dataclasses import dataclass

from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets.store.atomic import write_text
from niftyformer_assets.store.workspace import ExperimentFolder


@dataclass(frozen=True)
class PublishedTraining:
    """What the published code is told of the network and its training."""

    width: int
    layers: int
    heads: int
    batch_size: int
    learning_rate: float
    max_epochs: int
    patience: int
    seed: int


def write_stockformer_conf(
    folder: ExperimentFolder,
    split: Split,
    windows: WindowSettings,
    wavelet: WaveletSettings,
    training: PublishedTraining,
) -> None:
    """Write `stockformer.conf` beside the arrays it names, with paths from its folder on.

    The published code is to be started in that folder, wherever it lies: `--config stockformer.conf`.
    The published code splits by ratios of all sessions: those given here make it train on exactly the
    experiment's training sessions. Its validation takes what lies between, its test everything from the
    test start on, sessions after the test end included, as it knows no others.
    """
    sessions = split.later.stop
    test = sessions - split.test.start
    ratios = (split.train.stop, sessions - split.train.stop - test, test)
    content: dict[str, dict[str, object]] = {
        "file": {
            "traffic": folder.flow.name,
            "indicator": folder.trend_indicator.name,
            "adj": folder.corr_adj.name,
            "adjgat": folder.graph_embeddings.name,
            "alpha_360_folder": folder.factors.name,
            "factor_dir": folder.factors.name,
            "model": "published/model/saved_model",
            "log": "published/log/log",
            "output_dir": "published/output",
            "tensorboard_folder": "published/tensorboard",
        },
        "data": {
            "dataset": "STOCK",
            "T1": windows.input_sessions,
            "T2": windows.output_sessions,
            **dict(zip(("train_ratio", "val_ratio", "test_ratio"), (_ratio(n, sessions) for n in ratios), strict=True)),
        },
        "train": {
            "cuda": 0,
            "max_epoch": training.max_epochs,
            "batch_size": training.batch_size,
            "learning_rate": training.learning_rate,
            "patience": training.patience,
            "seed": training.seed,
        },
        "param": {
            "layers": training.layers,
            "heads": training.heads,
            "dims": training.width,
            "samples": 1,
            "wave": wavelet.wavelet,
            "level": wavelet.level,
        },
    }
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # T1 and T2 keep their capitals
    parser.read_dict(content)
    stream = io.StringIO()
    parser.write(stream)
    write_text(folder.stockformer_conf, stream.getvalue())


def _ratio(part: int, whole: int) -> float:
    """The shortest decimal that the published `round(ratio * sessions)` turns into `part` again."""
    return next(ratio for digits in range(2, 18) if round((ratio := round(part / whole, digits)) * whole) == part)
