"""Artifacts of other settings are refused, also where the sessions and symbols of their arrays are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from niftyformer_assets.artifacts import deciding_settings
from niftyformer_assets.defs.made_with import must_be_made_with
from niftyformer_assets.settings import find_experiment
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.index import entered_digests, write_entered
from niftyformer_assets.store.provenance import Provenance
from niftyformer_assets_tests.conftest import tiny_settings


@pytest.mark.parametrize("asset", ["corr_adj", "graph_embeddings"])
@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        # The whole stays the same; the graph would have seen sessions that are validation now.
        ("end: 2022-09-30}", "end: 2022-08-31}", "sessions.train.end"),
        ("ic_threshold: 0.05", "ic_threshold: 0.04", "factors.ic_threshold"),
    ],
)
def test_a_graph_of_other_sessions_or_factors_is_refused(
    tmp_path: Path, asset: str, before: str, now: str, said: str
) -> None:
    settings = tiny_settings(tmp_path)
    path, folder = settings.experiments / "tiny.yaml", settings.workspace.experiment("tiny")
    text = path.read_text().replace("graph: {", "graph: {source: factors, ")
    path.write_text(text)
    experiment = find_experiment(settings, "tiny")
    write_entered(folder.corr_adj, b"made")
    outputs = entered_digests([folder.corr_adj], folder.root)
    Provenance(asset, deciding_settings(experiment, asset), "code", {}, outputs).write(folder.provenance)
    must_be_made_with(experiment, folder, [asset])
    assert text.count(before) == 1
    path.write_text(text.replace(before, now))
    with pytest.raises(NiftyFormerError, match=f"{asset} of tiny was made with {said}"):
        must_be_made_with(find_experiment(settings, "tiny"), folder, [asset])


def test_without_a_record_nothing_is_taken_for_granted(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    with pytest.raises(NiftyFormerError, match="materialize flow"):
        must_be_made_with(find_experiment(settings, "tiny"), settings.workspace.experiment("tiny"), ["flow"])
