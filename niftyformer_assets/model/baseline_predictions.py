"""What the model must beat: the same predictions, by simpler models of the same samples and stocks."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from niftyformer_assets.dataset.windows import samples
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.baseline_registry import Forecast, Run, array_baseline
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.model.predictions import BASELINE, prediction_table
from niftyformer_assets.model.settings import is_network
from niftyformer_assets.store.errors import NiftyFormerError


def baseline_predictions(
    inputs: BaselineInputs,
    settings: BaselineSettings,
    seed: int,
    *,
    network: Callable[[str], pd.DataFrame] | None = None,
    to_come: np.ndarray | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> pd.DataFrame:
    """The predictions of every baseline of `settings`, for the sessions after training.

    Args:
        network: the predictions of a network by its name, as `model.rival` makes them; asked where one is named.
        to_come: dates of the exchange's next sessions, as `Samples.predicted_dates` takes them.
        progress: called with a line of text now and then.

    Returns:
        the table that `model.predictions` describes, of several models in the order of the settings.

    Raises:
        NiftyFormerError: a part has no sample, or training or validation has no label.
    """
    must_have_labels(inputs)
    frames = []
    for place, name in enumerate(settings.names, start=1):
        began = time.monotonic()
        if network is not None and is_network(name):
            table = network(name)
        else:
            table = forecast_table(forecast(name, inputs, settings, seed, progress), inputs, to_come)
        frames.append(table.assign(**{BASELINE: name}))
        progress(f"{name}: done in {time.monotonic() - began:.1f} s ({place} of {len(settings.names)} baselines)")
    return pd.concat(frames, ignore_index=True)


def must_have_labels(inputs: BaselineInputs) -> None:
    """Refuse inputs that nothing can be fitted on.

    Raises:
        NiftyFormerError: a part has no sample, or training or validation has no label.
    """
    samples(inputs.split, inputs.windows)
    for part, labels in (("train", inputs.training), ("validation", inputs.validation)):
        if not np.isfinite(labels).any():
            raise NiftyFormerError(
                f"the {part} part has no return to fit a baseline on: check the experiment's sessions and label.csv."
            )


def forecast(
    name: str,
    inputs: BaselineInputs,
    settings: BaselineSettings,
    seed: int,
    progress: Callable[[str], None] = lambda _line: None,
) -> Forecast:
    """The forecast of one baseline that is no network, for each sample (at least those after training).

    Neither the order of the names nor which others run changes it.
    """
    chosen, run = settings.of(array_baseline(name)), Run(seed, progress)
    return chosen.predict(chosen.fit(inputs, run), inputs, run)


def forecast_table(made: Forecast, inputs: BaselineInputs, to_come: np.ndarray | None) -> pd.DataFrame:
    """The table of a forecast, as `model.predictions` describes it, for the sessions after training."""
    value, p_up = (said.swapaxes(1, 2) for said in (made.value, made.p_up))
    return prediction_table(value, p_up, inputs.samples, inputs.axes, inputs.split, inputs.covered, to_come)
