"""What tells one variant of an experiment from another: the values that decide, those apart that are defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from niftyformer_assets.experiments.experiment import Experiment, kind_of_split
from niftyformer_assets.market.split import SplitByDate, SplitByRatio
from niftyformer_assets.model.baseline_registry import with_parts
from niftyformer_assets.model.baseline_settings import deciding_values
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.portfolio.backtest.strategy_registry import registered as strategies
from niftyformer_assets.portfolio.names import NAMES, SECTOR, SIZE
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.store.provenance import flat_settings


def without_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an experiment as `section.key` -> value, those apart that its file may as well leave out.

    So a record of a time before a setting is the same as one of today that has the setting's default.

    Args:
        values: of `Experiment.values`, now or of an earlier version; sections may be missing.
    """
    defaults = flat_settings(defaults_of(values))
    return {
        key: value
        for key, value in flat_settings(values).items()
        if key not in defaults or json.dumps(defaults[key]) != json.dumps(value)
    }


def defaults_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What an experiment has, as JSON values, where its file says nothing."""
    optional = {name for name, field in Experiment.model_fields.items() if not field.is_required()}
    split = SplitByRatio if kind_of_split(values.get("sessions")) == "ratio" else SplitByDate
    of_split = {field.name: field.default for field in fields(split) if field.default is not MISSING}
    return Experiment.model_construct().model_dump(mode="json", include=optional) | {"sessions": of_split}


def what_decides(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that decide on the traded result of an experiment, without defaults; see `without_defaults`.

    Of the settings of models those of the one that is traded decide, of the settings of strategies those of the one
    that is followed, and those of factors where that model sees them or that strategy takes some out of scores.
    """
    name = values.get("model", {}).get("name", ModelSettings.name)
    deciding = {section: value for section, value in values.items() if section not in NAMES}
    deciding = deciding_values(name, deciding)
    strategy = deciding.get("strategy", {})
    parts = with_parts(name, values.get("baselines", {}))
    if parts and not any(model.reads_factors for model in parts):
        exposed = set(strategy.get("neutralise", ())) - {SIZE, SECTOR}
        kept = {"factor_set"} if exposed else set()
        deciding["factors"] = {key: value for key, value in deciding.get("factors", {}).items() if key in kept}
    followed = strategies().get(strategy.get("name", StrategySettings.name))
    if followed is not None:
        others = {field for each in strategies().values() for field in each.kinds()} - followed.kinds().keys()
        deciding["strategy"] = {key: value for key, value in strategy.items() if key not in others}
    return without_defaults(deciding)


def what_decides_beside_sessions(values: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two variants of a study: its windows are tries of one."""
    return what_decides({section: value for section, value in values.items() if section != "sessions"})
