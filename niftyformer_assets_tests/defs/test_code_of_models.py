"""The code of a model counts where the model is named, and nowhere else.

On a copy of the package, of which a file is changed as a user would, with a workspace that was made before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from niftyformer_assets.artifacts import artifacts, deciding_models, phases
from niftyformer_assets.defs import build
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.imports import PACKAGE
from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, failure_of, tiny_settings

REPOSITORY = PACKAGE.parent
# All but the report, which takes as long as the rest.
MADE = [name for name in phases(artifacts())["experiment"] if name != "backtest_report"]
# One is traded beside ridge and constants, the other a constant; a third has what the first has, and holds more stocks.
OF_CONSTANTS = TINY_EXPERIMENT.replace("model: {", "model: {name: zero, ").replace("ridge, reversal, ", "")
HOLDS_MORE = TINY_EXPERIMENT.replace("top_k: 3", "top_k: 4")

LOOK = """
import json
import sys
from pathlib import Path

import dagster as dg

from niftyformer_assets.defs import build
from niftyformer_assets.defs.experiment_settings import observe_settings
from niftyformer_assets.defs.finished import finished_artifacts
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings
from niftyformer_assets_tests.defs.test_staleness import stale

folder, made = Path(sys.argv[1]), json.loads(sys.argv[2])
settings, found = tiny_settings(folder), {}
with dg.DagsterInstance.local_temp(str(folder / "home")) as instance:
    graph = Graph(settings, build(settings), instance)
    observe_settings(instance, settings)
    for name in ("tiny", "of_constants"):
        files = settings.workspace.experiment(name)
        kept = finished_artifacts(instance, find_experiment(settings, name), files, made)
        found[name] = {"again": sorted({*made} - kept), "stale": sorted(stale(graph, experiment=name))}
    if sys.argv[3:]:
        from niftyformer_assets.model.checkpoint import ModelFolder, why_not_go_on, model_card
        from niftyformer_assets.model.data import load_dataset
        from niftyformer_assets.model.device import choose_device

        files = settings.workspace.experiment("tiny")
        card = model_card(load_dataset(files.root), choose_device("cpu", "auto"))
        found["why_not_go_on"] = why_not_go_on(ModelFolder(files.model), card)
        result = graph.definitions.resolve_job_def("experiment").execute_in_process(
            instance=instance,
            partition_key="holds_more",
            asset_selection=[dg.AssetKey(asset) for asset in made],
            raise_on_error=False,
        )
        assert result.success, failure_of(result)
        said = [event.materialization for event in result.get_asset_materialization_events()]
        found["made"] = [each.asset_key.to_user_string() for each in said if "taken_over_from" not in each.metadata]
print(json.dumps(found))
"""
A_NEW_ONE = '''
from dataclasses import dataclass

from niftyformer_assets.model.baseline_registry import Baseline, Forecast, baseline


@baseline("last_factor")
@dataclass(frozen=True)
class LastFactor(Baseline):
    """A factor as it is.

    last_factor_times: what it is multiplied by.
    """

    last_factor_times: float = 1.0

    def fit(self, inputs, run):
        return {"deviation": inputs.deviation}

    def predict(self, learned, inputs, run):
        value = inputs.made_on_factors[..., -1:].astype(float) * self.last_factor_times
        return Forecast.of(value.repeat(inputs.windows.output_sessions, axis=-1), learned["deviation"])
'''
NOTHING: dict[str, list[str]] = {"again": [], "stale": []}
OF_BASELINES = {"again": ["baseline_predictions"]}
OF_TRADED = {"again": ["predictions", "trained_model"]}
OF_ALL = {"again": ["baseline_predictions", "predictions", "trained_model"]}


class Copy:
    """A copy of the package, and a folder with a workspace that the package made."""

    def __init__(self, folder: Path) -> None:
        self.package, self.folder = folder / "code" / PACKAGE.name, folder / "work"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(REPOSITORY / "data" / "reference", folder / "code" / "data" / "reference")
        self.folder.mkdir()

    def look(self, *arguments: str) -> dict:
        """What `LOOK` finds with the copy."""
        places = os.pathsep.join([str(self.package.parent), str(REPOSITORY)])
        done = subprocess.run(
            [sys.executable, "-c", LOOK, str(self.folder), json.dumps(MADE), *arguments],
            env={**os.environ, "PYTHONPATH": places},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    copy = Copy(tmp_path_factory.mktemp("models"))
    settings, home = tiny_settings(copy.folder), copy.folder / "home"
    for name, text in {"of_constants": OF_CONSTANTS, "holds_more": HOLDS_MORE}.items():
        (settings.experiments / f"{name}.yaml").write_text(text)
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        graph = Graph(settings, build(settings), instance)
        for phase in ("reference", "candles", "panels"):
            assert graph.run(phase).success
        for experiment in ("tiny", "of_constants"):
            result = graph.definitions.resolve_job_def("experiment").execute_in_process(
                instance=instance, partition_key=experiment, asset_selection=[dg.AssetKey(name) for name in MADE]
            )
            assert result.success, failure_of(result)
    yield copy


@pytest.mark.parametrize(
    ("module", "tiny", "of_constants"),
    [
        ("model/baselines/ranked.py", OF_BASELINES, NOTHING),
        ("model/baselines/forest.py", NOTHING, NOTHING),
        ("model/training.py", OF_TRADED, NOTHING),
        ("model/trained_baseline.py", OF_BASELINES, OF_ALL),
    ],
)
def test_a_changed_file_makes_stale_what_its_models_made(
    copy: Copy, module: str, tiny: dict, of_constants: dict
) -> None:
    path = copy.package / module
    before = path.read_bytes()
    path.write_bytes(before + b"# changed\n")
    try:
        found = copy.look()
    finally:
        path.write_bytes(before)
    for name, expected in {"tiny": tiny, "of_constants": of_constants}.items():
        assert found[name] == {"stale": expected["again"], **expected}, name


def test_a_new_model_changes_nothing_of_the_others(copy: Copy) -> None:
    """No version, nothing to be made again, a training that goes on, and all that can be taken over still can."""
    (copy.package / "model" / "baselines" / "last_factor.py").write_text(A_NEW_ONE)
    found = copy.look("with what else goes on")
    assert found["tiny"] == found["of_constants"] == NOTHING
    assert found["why_not_go_on"] == []
    assert found["made"] == []


def test_what_is_made_from_a_model_knows_its_code(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    (settings.experiments / "of_constants.yaml").write_text(OF_CONSTANTS)
    tiny, constants = (find_experiment(settings, name) for name in ("tiny", "of_constants"))
    assert deciding_models(tiny, "flow") == {}
    assert deciding_models(tiny, "predictions") == {"stockformer": registered()["stockformer"].code()}
    assert deciding_models(tiny, "baseline_predictions").keys() == set(tiny.baselines.names)
    assert deciding_models(tiny, "backtest_report").keys() == {"stockformer", *tiny.baselines.names}
    assert deciding_models(constants, "backtest_report").keys() == {"zero", "equal_weight", "majority", "random"}
