"""What a network says about samples, in whole batches and without gradients.

Shapes: S samples, B batch, T2 output sessions, N stocks.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.capture import capture
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.gpu import try_kernels
from niftyformer_assets.model.weights import FlatWeights


class Inference:
    """Weights and data on a device, and what asks them; in the products' precision of the device.

    Every batch reads and writes the same tensors, so that it can be captured once.

    Args:
        flat: the weights that are asked, in the order of `weights.flat`, which they are where this is None.
    """

    def __init__(
        self, weights: FlatWeights, data: DeviceData, device: Device, batch_size: int, flat: Tensor | None = None
    ) -> None:
        self.weights, self.data, self.device, self.flat = weights, data, device, flat
        sizes, horizons = data.sizes, len(data.future)
        batches = -(-sizes.sessions // batch_size)
        here = device.torch_device
        self.made_on = torch.zeros(batches, batch_size, dtype=torch.int64, device=here)
        self.position = torch.zeros(1, dtype=torch.int64, device=here)
        self.value = torch.zeros(batches, batch_size, horizons, sizes.stocks, device=here)
        self.p_up = torch.zeros_like(self.value)
        if device.kind == "cuda" and weights.network.kernel_width is not None:
            try_kernels(weights.network.kernel_width)
        self._run = self._batch

    def capture(self) -> None:
        """From now on a batch is replayed as one CUDA graph."""
        self._run = capture(self._batch)

    def __call__(self, made_on: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The fused path's value and probability of a rise, both float32 [S, T2, N].

        Args:
            made_on: int64 [S] on the CPU, the sessions the samples are made on.
        """
        size = self.made_on.shape[1]
        # Whole batches only, filled up with the last sample: what a sample gets depends, in the last bits, on the size
        # of its batch, and so would on how many sessions follow.
        filled = torch.cat([made_on, made_on[-1:].expand(-len(made_on) % size)]).view(-1, size)
        self.made_on[: len(filled)] = filled.to(self.made_on.device)
        self.position.zero_()
        for _ in filled:
            self._run()
        stocks = self.data.here.stocks
        value, p_up = (
            found[: len(filled)].flatten(0, 1)[: len(made_on), :, :stocks].to("cpu", copy=True).numpy()
            for found in (self.value, self.p_up)
        )
        return value, p_up

    @torch.inference_mode()
    def _batch(self) -> None:
        narrow, network = self.device.dtype, self.weights.network
        seen = network.sees(self.data, self.made_on[self.position].squeeze(0), narrow)
        outputs = functional_call(network, self.weights.views(narrow, self.flat), (seen,))
        self.value.index_copy_(0, self.position, outputs.value.unsqueeze(0))
        self.p_up.index_copy_(0, self.position, outputs.logits.softmax(-1)[..., 1].unsqueeze(0))
        self.position.add_(1).remainder_(len(self.value))
