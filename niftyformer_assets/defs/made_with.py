"""Whether the artifacts of an experiment still are what its settings say."""

from __future__ import annotations

from collections.abc import Iterable

from niftyformer_assets.artifacts import deciding_settings, sections_of
from niftyformer_assets.settings import Experiment
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.provenance import flat_settings, must_be_as_recorded, must_have_record
from niftyformer_assets.store.workspace import ExperimentFolder


def must_be_made_with(experiment: Experiment, folder: ExperimentFolder, assets: Iterable[str]) -> None:
    """Refuse artifacts that were made with other settings than the experiment has now, or are others than recorded.

    Without this an edited experiment would meet artifacts of the old one, and a report would name
    settings that none of its figures came from.

    Raises:
        NiftyFormerError: an artifact has no provenance, is not the one that was recorded, or was made
            with other values; the message names both.
    """
    for asset in assets:
        record = must_have_record(folder.provenance, asset)
        now = flat_settings(deciding_settings(experiment, asset))
        sections = sections_of(asset, experiment)
        # By its settings then, it may have been made from more than now.
        decided = {
            section: value for section, value in record.settings.items() if sections is None or section in sections
        }
        before = flat_settings(decided)
        found = [
            f"{name} {before.get(name)} (the experiment has {now.get(name)})"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
        if found:
            raise NiftyFormerError(
                f"{asset} of {experiment.name} was made with {', '.join(found)}: materialize it again, "
                "with what it is made from, or change the experiment back."
            )
        must_be_as_recorded(folder.provenance, record)
