"""Whether the artifacts of an experiment still are what its settings say."""

from __future__ import annotations

from collections.abc import Iterable

from niftyformer_assets.artifacts import deciding_settings, sections_of
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.variants import defaults_of, without_defaults
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import flat_settings, must_be_as_recorded, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder


def must_be_made_with(experiment: Experiment, folder: ExperimentFolder, assets: Iterable[str]) -> None:
    """Refuse artifacts that were made with other settings than the experiment has now, or are others than recorded.

    Without this an edited experiment would meet artifacts of the old one, and a report would name
    settings that none of its figures came from. A setting that came later counts with its default.

    Raises:
        NiftyFormerError: an artifact has no provenance, is not the one that was recorded, or was made
            with other values; the message names both.
    """
    for asset in assets:
        record = must_have_record(folder.provenance, asset)
        now, sections = deciding_settings(experiment, asset), sections_of(asset, experiment)
        # By its settings then, it may have been made from more than now.
        before = {key: value for key, value in record.settings.items() if sections is None or key in sections}
        one, other = without_defaults(before), without_defaults(now)
        differing = [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
        if "model.name" in differing:  # each model has other settings
            differing = ["model.name"]
        if differing:
            # Of sections that did not decide when it was made nothing can be said but that there are others.
            differing = [name for name in differing if name.partition(".")[0] in before] or differing
            default = flat_settings(defaults_of(now))
            found = [
                f"{name} {one.get(name, default.get(name))} (the experiment has {other.get(name, default.get(name))})"
                for name in differing
            ]
            raise NiftyFormerError(
                f"{asset} of {experiment.name} was made with {', '.join(found)}: materialize it again, "
                "with what it is made from, or change the experiment back."
            )
        must_be_as_recorded(folder.provenance, record)
