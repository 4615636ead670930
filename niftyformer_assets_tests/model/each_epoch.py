"""An observer for tests."""

from __future__ import annotations

from collections.abc import Callable

from niftyformer_assets.model.watch import Metrics, Observer


class EachEpoch(Observer):
    """Calls a function with the metrics of each epoch."""

    def __init__(self, call: Callable[[Metrics], object]) -> None:
        self.call = call

    def epoch(self, metrics: Metrics) -> None:
        self.call(metrics)
