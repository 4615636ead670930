"""All data on the device once; batches are gathered there by the session a sample is made on.

Materialising every window would take T1 times the memory and a copy to the device for each step.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from niftyformer_assets.model.data import Dataset
from niftyformer_assets.model.loss import Targets
from niftyformer_assets.model.stockformer import Inputs


class DeviceData:
    """A dataset's arrays on a device.

    Shapes: T sessions, N stocks, F factors, B batch, T1 and T2 sessions in and out of a window.
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        def put(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        windows = dataset.settings.windows
        self.decompose_factors = dataset.settings.wavelet.factors
        self.valid, self.enough = put(dataset.valid), put(dataset.enough)
        self.returns = put(np.where(dataset.valid, dataset.returns, 0))
        self.factors, self.calendar = put(dataset.factors), put(dataset.calendar)
        self.labels = put(np.nan_to_num(dataset.labels))
        self.known = put(np.isfinite(dataset.labels))
        self.low_matrix, self.low_matrix_output = put(dataset.low_matrix), put(dataset.low_matrix_output)
        self.past = torch.arange(1 - windows.input_sessions, 1, device=device)
        self.future = torch.arange(1, windows.output_sessions + 1, device=device)

    def inputs(self, made_on: Tensor) -> Inputs:
        """What samples made on the sessions `made_on` (int64 [B]) see."""
        sessions = made_on[:, None] + self.past
        returns = self.returns[sessions]
        low = self._band(self.low_matrix, returns)
        factors = self.factors[sessions]
        factors_low = self._band(self.low_matrix, factors) if self.decompose_factors else factors
        return Inputs(
            low=low,
            high=returns - low,
            trend=(returns > 0).to(returns.dtype),
            factors_low=factors_low,
            factors_high=factors - factors_low if self.decompose_factors else factors,
            present=self.valid[sessions] & self.enough[made_on][:, None],
            calendar=self.calendar[torch.cat([sessions, made_on[:, None] + self.future], dim=1)],
        )

    def targets(self, made_on: Tensor) -> Targets:
        """The labels of samples made on the sessions `made_on` (int64 [B]); all must lie within T."""
        sessions = made_on[:, None] + self.future
        value = self.labels[sessions]
        known = self.known[sessions] & self.enough[made_on][:, None]
        return Targets(
            value=value,
            value_low=self._band(self.low_matrix_output, value),
            up=value > 0,
            known=known,
            known_low=known.all(1, keepdim=True).expand_as(known),
        )

    @staticmethod
    def _band(matrix: Tensor, windows: Tensor) -> Tensor:
        """[L, L] applied to the sessions of [B, L, ...]."""
        return torch.matmul(matrix, windows.flatten(2)).view_as(windows)
