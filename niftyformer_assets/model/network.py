"""What the one training loop asks of a network, and what passes between the two.

Shapes: B batch, T1 input sessions, T2 output sessions, N stocks, F factors, C channels, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from niftyformer_assets.model.dropout import Dropout

if TYPE_CHECKING:
    from niftyformer_assets.model.batches import DeviceData
    from niftyformer_assets.model.data import Dataset

# Beside its factors a stock has its return and trend.
OTHER_CHANNELS = 2


class Inputs(NamedTuple):
    """A batch of windows; whatever is missing is 0 and not `present`.

    low, high: [B, T1, N] bands of the returns.
    trend: [B, T1, N], 1 where the return is above 0.
    factors_low, factors_high: [B, T1, N, F]; the same array unless factors are decomposed too.
    present: bool [B, T1, N]: the return is there, and the stock has enough of them in the window.
    calendar: int64 [B, T1 + T2, 2]: weekday and session of the month.
    """

    low: Tensor
    high: Tensor
    trend: Tensor
    factors_low: Tensor
    factors_high: Tensor
    present: Tensor
    calendar: Tensor


class Windows(NamedTuple):
    """The same windows stock by stock, of what a `NetworkBaseline` sees; whatever is missing is 0.

    channels: [B, N, T1, C], C = 2 + F: the return in units of a usual one, 1 where it is above 0, the factors.
    present: bool [B, N, T1]: the return is there, and the stock has enough of them in the window.
    """

    channels: Tensor
    present: Tensor


class Outputs(NamedTuple):
    """What a network says about each output session, and what it says of the low band alone.

    value, value_low: [B, T2, N] returns (or scores, where the label is a rank or z-score).
    logits, logits_low: [B, T2, N, 2], down and up.
    What is said of the low band is None where a network has no path for it; nothing is then lost by it.
    """

    value: Tensor
    value_low: Tensor | None
    logits: Tensor
    logits_low: Tensor | None


class Network(nn.Module, ABC):
    """Windows of all stocks -> their returns and directions.

    kernel_width: of the states that the GPU's own kernels are for; None is a network that has none.
    """

    kernel_width: int | None = None

    @abstractmethod
    def sees(self, data: DeviceData, made_on: Tensor, dtype: Any) -> Any:
        """What `forward` gets of samples made on the sessions `made_on` (int64 [B]), numbers in `dtype`."""

    @abstractmethod
    def forward(self, inputs: Any, dropped: Mapping[str, Tensor] | None = None) -> Outputs:
        """What it says of what it sees; of a stock that is nowhere present something without meaning.

        Args:
            dropped: by the names of `dropouts`, bool, what is set to 0 there; what has no name, and all in inference,
                stays.
        """

    @abstractmethod
    def take_constants(self, dataset: Dataset) -> None:
        """Put what is kept with the weights but not trained into its buffers."""

    def dropouts(self, batch: int, stocks: int, factors: int) -> Mapping[str, Dropout]:
        """The places at which a step drops something, by name; in this order they are drawn."""
        return {}

    def wide_weights(self) -> frozenset[str]:
        """Names of the weights that are not narrowed for the products."""
        return frozenset()
