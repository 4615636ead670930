"""The mean of the ranks that other models give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from niftyformer_assets.model.baseline_registry import Model, baseline, registered
from niftyformer_assets.require import require

_DEFAULT = ("ridge", "lightgbm")


@baseline("blend")
@dataclass(frozen=True)
class Blend(Model):
    """The mean of other models' ranks within the session, each model counting alike.

    blend_of: the models, each by its name and the name of a label (`ridge.mix`); several labels of one are averaged as
        ranks, and ranked again, before. A name alone stands for what the model says of the label that is traded.
    """

    fitted_by: ClassVar[str] = "trained_blend"
    draws: ClassVar[bool] = False  # but what it is made of may

    blend_of: tuple[str, ...] = _DEFAULT

    def __post_init__(self) -> None:
        require(len(self.blend_of) > 0, "blend_of names no model")
        require(len(set(self.blend_of)) == len(self.blend_of), "blend_of names one twice")
        for name, labels in self.labels_by_model.items():
            require(
                not labels or name not in self.blend_of,
                f"blend_of names {name} alone and by a label: say which label stands for what is traded",
            )
            require(
                name in registered() and not issubclass(registered()[name], Blend),
                f"blend_of: {name} is no model that can be blended",
            )

    @property
    def labels_by_model(self) -> dict[str, tuple[str, ...]]:
        """By the name of a model those of its labels, none for the one that is traded, in the order that is given."""
        return _labels_by_model(self.blend_of)

    @classmethod
    def made_of(cls, baselines: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(_labels_by_model(baselines.get("blend_of", _DEFAULT)))


def _labels_by_model(blend_of: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in blend_of:
        model, _, label = each.partition(".")
        found[model] = (*found.get(model, ()), *([label] if label else []))
    return found
