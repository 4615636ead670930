"""All data on the device once; batches are gathered there by the session a sample is made on.

Materialising every window would take T1 times the memory and a copy to the device for each step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.loss import Targets
from niftyformer_assets.model.network import OTHER_CHANNELS, Inputs, Windows

# Sessions are rounded up to a multiple of this, so that windows of about the same length share their place.
SESSIONS = 128


class Sizes(NamedTuple):
    """How many sessions, stocks and factors data have, or the place for them."""

    sessions: int
    stocks: int
    factors: int

    @classmethod
    def of(cls, dataset: Dataset) -> Sizes:
        return cls(len(dataset.axes.dates), len(dataset.axes.symbols), len(dataset.factor_names))

    def padded(self, multiple: int) -> Sizes:
        """With stocks and input channels rounded up to a multiple."""
        channels = _up(self.factors + OTHER_CHANNELS, multiple)
        return Sizes(_up(self.sessions, SESSIONS), _up(self.stocks, multiple), channels - OTHER_CHANNELS)


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


class DeviceData:
    """The place of a dataset on a device. Another dataset of these sizes can take it.

    A GPU multiplies fastest where stocks and channels are multiples of 8: what is added is absent
    everywhere, and so reaches nothing.

    Shapes: T sessions, N stocks, F factors, B batch, T1 and T2 sessions in and out of a window.

    Args:
        multiple: what stocks and channels are rounded up to.
    """

    def __init__(self, dataset: Dataset, device: torch.device, multiple: int = 1) -> None:
        self.multiple = multiple
        self.sizes = sizes = Sizes.of(dataset).padded(multiple)
        windows = dataset.settings.windows
        self.decompose_factors = dataset.settings.network.decomposes_factors

        def place(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        cells = (sizes.sessions, sizes.stocks)
        self.valid, self.enough = place(*cells, dtype=torch.bool), place(*cells, dtype=torch.bool)
        self.returns = place(*cells)
        labels = (sizes.sessions, len(windows.labels), sizes.stocks)
        self.labels, self.known = place(*labels), place(*labels, dtype=torch.bool)
        self.factors = place(*cells, sizes.factors)
        self.calendar = place(sizes.sessions + max(windows.known_after), 2, dtype=torch.int64)
        self.low_matrix = place(windows.input_sessions, windows.input_sessions)
        self.low_matrix_output = place(len(windows.labels), len(windows.labels))
        self.past = torch.arange(1 - windows.input_sessions, 1, device=device)
        self.known_after, self.over_sessions = windows.known_after, windows.over_sessions
        self.future = torch.tensor(self.known_after, device=device)
        self.place(dataset)

    def fits(self, dataset: Dataset) -> bool:
        """Whether a dataset can take this place: its windows are the same and its padded sizes too."""
        settings = dataset.settings
        return (
            Sizes.of(dataset).padded(self.multiple) == self.sizes
            and settings.windows.input_sessions == len(self.past)
            and settings.windows.known_after == self.known_after
            and settings.windows.over_sessions == self.over_sessions
            and settings.network.decomposes_factors == self.decompose_factors
        )

    def place(self, dataset: Dataset) -> None:
        """Copy a dataset into place."""
        self.here = Sizes.of(dataset)
        for target, array in (
            (self.valid, dataset.valid),
            (self.enough, dataset.enough),
            (self.known, np.isfinite(dataset.labels.array)),
            (self.returns, np.where(dataset.valid, dataset.returns, 0)),
            (self.labels, np.nan_to_num(dataset.labels.array)),
            (self.factors, dataset.factors),
            (self.calendar, dataset.calendar),
            (self.low_matrix, dataset.low_matrix),
            (self.low_matrix_output, dataset.low_matrix_output),
        ):
            target.zero_()
            target[tuple(slice(length) for length in array.shape)] = torch.from_numpy(array).to(target)

    def inputs(self, made_on: Tensor, dtype: torch.dtype = torch.float32) -> Inputs:
        """What samples made on the sessions `made_on` (int64 [B]) see, numbers in `dtype`."""
        sessions = made_on[:, None] + self.past
        returns = self.returns[sessions]
        low = self._band(self.low_matrix, returns)
        factors = self.factors[sessions]
        factors_low = self._band(self.low_matrix, factors) if self.decompose_factors else factors
        factors_high = factors - factors_low if self.decompose_factors else factors
        return Inputs(
            low=low.to(dtype),
            high=(returns - low).to(dtype),
            trend=(returns > 0).to(dtype),
            factors_low=factors_low.to(dtype),
            factors_high=factors_high.to(dtype),
            present=self.valid[sessions] & self.enough[made_on][:, None],
            calendar=self.calendar[torch.cat([sessions, made_on[:, None] + self.future], dim=1)],
        )

    def windows(self, made_on: Tensor, dtype: torch.dtype, unit: Tensor) -> Windows:
        """What samples made on the sessions `made_on` (int64 [B]) see, stock by stock and undivided.

        Args:
            unit: the returns are in units of it.
        """
        sessions = made_on[:, None] + self.past
        returns = self.returns[sessions][..., None]
        channels = torch.cat([returns / unit, (returns > 0).to(returns), self.factors[sessions]], dim=-1)
        present = self.valid[sessions] & self.enough[made_on][:, None]
        return Windows(channels.to(dtype).transpose(1, 2), present.transpose(1, 2))

    def targets(self, made_on: Tensor, counted: Tensor | None = None) -> Targets:
        """The labels of samples made on the sessions `made_on` (int64 [B]); all must lie within T.

        Args:
            counted: bool [B], which samples have labels; None is all.
        """
        value = self.labels[made_on]
        known = self.known[made_on] & self.enough[made_on][:, None]
        if counted is not None:
            known = known & counted[:, None, None]
        return Targets(
            value=value,
            value_low=self._band(self.low_matrix_output, value),
            up=value > 0,
            known=known,
            known_low=known.all(1, keepdim=True).expand_as(known) if self.over_sessions else known,
        )

    @staticmethod
    def _band(matrix: Tensor, windows: Tensor) -> Tensor:
        """[L, L] applied to the sessions of [B, L, ...]."""
        return torch.matmul(matrix, windows.flatten(2)).view_as(windows)
