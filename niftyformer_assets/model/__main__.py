"""Train a model and predict with it, without Dagster.

    python -m niftyformer_assets.model --dataset data/demo/experiments/demo

needs torch, NumPy, pandas, pyarrow and filelock, and shows more where rich and TensorBoard are
installed. Started again after an interruption it goes on; finished, it only predicts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from niftyformer_assets.extras import torch_or_one_line
from niftyformer_assets.model.data import RunSettings, load_dataset
from niftyformer_assets.plain_output import allow_any_encoding
from niftyformer_assets.store.errors import NiftyFormerError, disk_or_one_line
from niftyformer_assets.store.workspace import ExperimentFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    allow_any_encoding()
    parser = argparse.ArgumentParser(prog="python -m niftyformer_assets.model", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--dataset", type=Path, required=True, help="folder of an experiment (experiment.json, flow.npz, …)"
    )
    parser.add_argument(
        "--out", type=Path, help="model folder, which then gets the predictions too; by itself DATASET/model"
    )
    parser.add_argument("--max-epochs", type=int, help="instead of training.max_epochs")
    parser.add_argument("--batch-size", type=int, help="instead of training.batch_size")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="instead of training.precision")
    parser.add_argument("--restart", action="store_true", help="forget an earlier training in the model folder")
    parser.add_argument("--predict-only", action="store_true", help="predict with the model folder as it is")
    chosen = parser.parse_args(arguments)
    try:
        with disk_or_one_line(), torch_or_one_line():
            _run(chosen)
    except NiftyFormerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: start it again and it goes on from the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _run(chosen: argparse.Namespace) -> None:
    # Loaded here, so that where torch is not installed it is said in one line.
    from niftyformer_assets.model.checkpoint import ModelFolder
    from niftyformer_assets.model.device import choose_device
    from niftyformer_assets.model.trained import Watch
    from niftyformer_assets.model.trained_things import trained_thing
    from niftyformer_assets.model.watch import tensorboard, terminal
    from niftyformer_assets.model.written_predictions import write_predictions

    dataset = load_dataset(chosen.dataset)
    options = {name: getattr(chosen, name) for name in ("max_epochs", "batch_size", "precision")}
    given = {name: value for name, value in options.items() if value is not None}
    if given:
        dataset = replace(dataset, settings=_with_training(dataset.settings, given))
    experiment = ExperimentFolder(chosen.dataset)
    out = chosen.out or experiment.model
    table = out / experiment.predictions.name if chosen.out else experiment.predictions
    model, device = trained_thing(dataset.settings.model.name), partial(choose_device, chosen.device)

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    if not chosen.predict_only:
        watch = Watch(tell, lambda _seed, place: (terminal(), tensorboard(ModelFolder(place).tensorboard)))
        fitted = model.fit(dataset, out, device, watch, chosen.restart)
        for line in (*fitted.notes, *fitted.said):
            tell(line)
    of_networks = table.with_name(experiment.network_predictions.name)
    write_predictions(model, dataset, out, device, table, of_networks)
    print(table)


def _with_training(settings: RunSettings, given: Mapping[str, Any]) -> RunSettings:
    """The settings with other values in section `training`, which must be the model's."""
    if "training" not in settings.model.section_fields():
        raise NiftyFormerError(
            f"--{next(iter(given)).replace('_', '-')} is of the section training and the experiment's model is "
            f"{settings.model.name}: leave it out, and change the experiment's section baselines instead."
        )
    try:
        return settings.with_training(**given)
    except ValueError as error:
        raise NiftyFormerError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
