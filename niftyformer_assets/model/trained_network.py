"""A network as a trained thing: once or several times, each with its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch

from niftyformer_assets.model.checkpoint import ModelFolder, model_card, why_not_go_on
from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.device import Device, Precision
from niftyformer_assets.model.predict import predict_each
from niftyformer_assets.model.predictions import mean_of_networks
from niftyformer_assets.model.step import Steps
from niftyformer_assets.model.trained import Fitted, TrainedThing, Watch
from niftyformer_assets.model.training import Trained, networks, remove_others, train
from niftyformer_assets.model.watch import summary

# The figures that an epoch is judged by, each beside what a trivial predictor reaches.
BEST = ("epoch", "val_mae", "val_mae_zero", "val_accuracy", "val_accuracy_majority", "val_rank_ic", "val_rank_ic_last")


class TrainedNetwork(TrainedThing):
    """The network of a name, trained by the one loop."""

    def fingerprint(self, dataset: Dataset) -> dict[str, str]:
        return dataset.fingerprint()

    def fit(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        watch: Watch,
        restart: bool | None = False,
    ) -> Fitted:
        with _threads(dataset):
            return self._fit(dataset, folder, device(dataset.settings.training.precision), watch, restart)

    def _fit(self, dataset: Dataset, folder: Path, chosen: Device, watch: Watch, restart: bool | None) -> Fitted:
        several = dataset.settings.training.seeds > 1
        watch.tell(f"training on {chosen}, label {dataset.settings.windows.label}")
        remove_others(dataset, folder)
        steps, trained = Steps(), []
        for network, place in networks(dataset, folder):
            seed, anew = network.settings.seed, bool(restart)
            if restart is None and (found := why_not_go_on(ModelFolder(place), model_card(network, chosen))):
                # A training interrupted on the same data and settings goes on; on others it begins anew, and says why.
                watch.tell(f"training of seed {seed} begins anew: {'; '.join(found)}")
                anew = True
            if several:
                watch.tell(f"seed {seed}")
            trained.append(train(network, place, chosen, watch.observers(seed, place), anew, steps))
        table = [{"seed": dataset.settings.seed + number, **_best(one)} for number, one in enumerate(trained)]
        return Fitted(
            rows=sum(len(one.history) for one in trained),
            figures={
                "device": chosen.name,
                "memory_mib": chosen.memory_mib,
                "memory_free_before_mib": chosen.free_mib if chosen.free_mib is not None else "not a GPU",
                "memory_peak_mib": float(pd.concat([one.speed for one in trained])["memory_mib"].max()),
                "compute_capability": chosen.compute_capability or "not a GPU",
                "precision": chosen.precision,
                "stopped": "\n\n".join(one.stopped for one in trained),
                **{f"best_{name}": value for name, value in _best(trained[0]).items()},
            },
            notes=tuple(dict.fromkeys(note for one in trained for note in one.notes)),
            history=trained[0].history,
            tables={"networks": pd.DataFrame(table)} if several else {},
            said=tuple(line for one in trained for line in (one.stopped, f"best: {summary(one.best)}")),
        )

    def predict(
        self,
        dataset: Dataset,
        folder: Path,
        device: Callable[[Precision], Device],
        fitted: Fitted | None = None,
    ) -> pd.DataFrame:
        return mean_of_networks(self._each(dataset, folder, device))

    def predict_each(
        self, dataset: Dataset, folder: Path, device: Callable[[Precision], Device]
    ) -> pd.DataFrame | None:
        return self._each(dataset, folder, device) if dataset.settings.training.seeds > 1 else None

    def _each(self, dataset: Dataset, folder: Path, device: Callable[[Precision], Device]) -> pd.DataFrame:
        self.must_be_in(folder)
        with _threads(dataset):
            return predict_each(dataset, folder, device(dataset.settings.training.precision))


@contextmanager
def _threads(dataset: Dataset) -> Iterator[None]:
    before, wanted = torch.get_num_threads(), dataset.settings.network.threads
    try:
        if wanted is not None:
            torch.set_num_threads(wanted)
        yield
    finally:
        torch.set_num_threads(before)


def _best(trained: Trained) -> dict[str, float]:
    return {name: float(trained.best[name]) for name in BEST if name in trained.best}
