"""LSTM and GRU over each stock's own window: the plan's neural baselines.

Shapes: T sessions, N symbols, C channels, T1 sessions of a window, T2 horizons, S = T - T1 + 1 samples, B batch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.model.baseline_registry import Run

if TYPE_CHECKING:
    from niftyformer_assets.model.baselines.recurrent import RecurrentBaseline

BATCH = 512
LEARNING_RATE = 1e-3
GRADIENT_CLIP = 0.5


class Recurrent(nn.Module):
    """Windows [B, T1, C] to the value and the up logit of each horizon, both [B, T2]."""

    def __init__(self, kind: str, channels: int, width: int, layers: int, horizons: int) -> None:
        super().__init__()
        cell = nn.LSTM if kind == "lstm" else nn.GRU
        self.cell = cell(channels, width, layers, batch_first=True)
        self.value = nn.Linear(width, horizons)
        self.up = nn.Linear(width, horizons)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        last = self.cell(windows)[0][:, -1]
        return self.value(last), self.up(last)


def fit_recurrent(
    kind: str,
    inputs: np.ndarray,
    training: np.ndarray,
    validation: np.ndarray,
    window: int,
    settings: RecurrentBaseline,
    run: Run,
) -> dict[str, np.ndarray]:
    """The weights after fitting on training labels, stopped early on validation labels.

    The loss is the model's own: absolute error of the value plus cross-entropy of up or down, each
    over the labels that are there.

    Args:
        kind: `lstm` or `gru`.
        inputs: float32 [T, N, C], dense (missing = 0), of about unit variance.
        training, validation: float [S, N, T2], the labels of sample s, whose window is sessions
            s … s+T1-1, in units of about 1; NaN where there is none or it belongs to another part.

    The same arguments give the same numbers, whatever the number of processors: one of them is
    used. That costs less than it seems, as threads of so small a network mostly wait.
    """
    with _one_thread():
        torch.manual_seed(run.seed)
        network = _network(kind, inputs.shape[-1], settings, training.shape[-1])
        _train(network, _windows(inputs, window), training, validation, settings, kind, run)
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def predict_recurrent(
    kind: str,
    weights: Mapping[str, np.ndarray],
    inputs: np.ndarray,
    wanted: np.ndarray,
    windows: WindowSettings,
    settings: RecurrentBaseline,
) -> tuple[np.ndarray, np.ndarray]:
    """What a network with these weights says of the samples that are wanted (bool [S]).

    Returns:
        value and p_up, float64 [S, N, T2]; NaN where not wanted.
    """
    shape = (len(wanted), inputs.shape[1], windows.output_sessions)
    with _one_thread():
        network = _network(kind, inputs.shape[-1], settings, windows.output_sessions)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        return _predict(network.eval(), _windows(inputs, windows.input_sessions), wanted, shape)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One processor, and the caller's number of threads and generator as they were afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def _network(kind: str, channels: int, settings: RecurrentBaseline, horizons: int) -> Recurrent:
    return Recurrent(kind, channels, settings.recurrent_width, settings.recurrent_layers, horizons)


def _windows(inputs: np.ndarray, window: int) -> Tensor:
    """A view [N, S, C, T1] on the inputs: windows are gathered on demand, never all at once."""
    by_stock = torch.from_numpy(np.ascontiguousarray(inputs.swapaxes(0, 1), dtype=np.float32))
    return by_stock.unfold(1, window, 1)


def _train(
    network: Recurrent,
    windows: Tensor,
    training: np.ndarray,
    validation: np.ndarray,
    settings: RecurrentBaseline,
    kind: str,
    run: Run,
) -> None:
    fit_on, check_on = (np.argwhere(np.isfinite(labels).any(axis=-1)) for labels in (training, validation))
    rng = np.random.default_rng(run.seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    best, best_state, since = np.inf, copy.deepcopy(network.state_dict()), 0
    for epoch in range(1, settings.epochs + 1):
        network.train()
        drawn = rng.permutation(len(fit_on))[: settings.sequences_per_epoch]
        for start in range(0, len(drawn), BATCH):
            total, count = _loss(network, windows, training, fit_on[drawn[start : start + BATCH]])
            optimizer.zero_grad()
            (total / count).backward()
            nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_CLIP)
            optimizer.step()
        loss = _validation_loss(network, windows, validation, check_on)
        run.progress(f"{kind}: epoch {epoch} of at most {settings.epochs}, validation loss {loss:.4f}")
        if loss < best:
            best, best_state, since = loss, copy.deepcopy(network.state_dict()), 0
        else:
            since += 1
            if since >= settings.patience:
                break
    network.load_state_dict(best_state)
    network.eval()


@torch.no_grad()
def _validation_loss(network: Recurrent, windows: Tensor, labels: np.ndarray, cells: np.ndarray) -> float:
    network.eval()
    parts = [
        _loss(network, windows, labels, cells[start : start + 8 * BATCH]) for start in range(0, len(cells), 8 * BATCH)
    ]
    return float(sum(total for total, _ in parts)) / sum(count for _, count in parts)


def _loss(network: Recurrent, windows: Tensor, labels: np.ndarray, cells: np.ndarray) -> tuple[Tensor, int]:
    """Summed loss over the labels of (sample, symbol) pairs [B, 2], and how many labels there are."""
    sample, symbol = cells.T
    wanted = torch.as_tensor(labels[sample, symbol], dtype=torch.float32)
    known = torch.isfinite(wanted)
    value, up = network(windows[symbol, sample].transpose(1, 2))
    error = (value - wanted)[known].abs().sum()
    surprise = functional.binary_cross_entropy_with_logits(up[known], (wanted[known] > 0).float(), reduction="sum")
    return error + surprise, int(known.sum())


@torch.no_grad()
def _predict(
    network: Recurrent, windows: Tensor, wanted: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    values, ups = np.full(shape, np.nan), np.full(shape, np.nan)
    # One session at a time: a batch that depended on how many sessions there are would change the last digits.
    for sample in np.flatnonzero(wanted):
        value, up = network(windows[:, sample].transpose(1, 2))
        values[sample] = value.numpy()
        ups[sample] = up.sigmoid().numpy()
    return values, ups
