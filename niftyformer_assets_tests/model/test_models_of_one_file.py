"""A model that is added is one file: the rest finds it by its name, with its settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LAST_FACTOR = '''
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
USED_ON_ARRAYS = """
import sys
from pathlib import Path

import numpy as np

from niftyformer_assets.model import baselines

baselines.__path__.append(sys.argv[1])
from niftyformer_assets.experiments.files import read_experiment_file
from niftyformer_assets_tests.model.models_on_arrays import predicted
from niftyformer_assets_tests.model.test_baselines import market

experiment = read_experiment_file(Path(sys.argv[2]), {})
inputs = market()
table = predicted(experiment.rivals, inputs, experiment.baselines, 1, Path(sys.argv[3]))
assert list(table["baseline"].unique()) == ["last_factor", "zero"]
rows = table[(table["baseline"] == "last_factor") & (table["horizon"] == 2)]
made = np.searchsorted(inputs.axes.dates, rows["date_made"].to_numpy().astype("datetime64[D]"))
stock = [inputs.axes.symbols.index(name) for name in rows["symbol"]]
np.testing.assert_array_equal(rows["return"], -2.5 * inputs.factors[made, stock, -1].astype(float))
assert experiment.values()["baselines"]["last_factor_times"] == -2.5
"""


def test_a_baseline_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "last_factor.py").write_text(LAST_FACTOR)
    experiment = tmp_path / "mine.yaml"
    text = (
        "market: simulated\nsessions: {start: 2022-01-01, end: 2023-12-31, ratio: [0.6, 0.2, 0.2]}\n"
        "baselines: {names: [last_factor, zero], last_factor_times: %s}\n"
    )
    arguments = [
        sys.executable,
        "-c",
        USED_ON_ARRAYS,
        str(tmp_path / "more"),
        str(experiment),
        str(tmp_path / "folder"),
    ]
    experiment.write_text(text % "-2.5")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    experiment.write_text(text % "soon")
    refused = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "baselines.last_factor_times: Input should be a valid number" in refused.stderr


ONE_FILE = '''
from dataclasses import dataclass

from niftyformer_assets.model.baseline_registry import NetworkBaseline, baseline


@baseline("perceptron")
@dataclass(frozen=True)
class Perceptron(NetworkBaseline):
    """A perceptron on the last session.

    perceptron_width: of its hidden layer.
    """

    perceptron_width: int = 64

    def parts(self, channels, horizons):
        from torch import nn

        hidden = nn.Sequential(nn.Linear(channels, self.perceptron_width), nn.ReLU())
        return {"hidden": hidden, "out": nn.Linear(self.perceptron_width, 2 * horizons)}

    def forward(self, parts, windows):
        return parts["out"](parts["hidden"](windows.channels[:, :, -1])).chunk(2, dim=-1)
'''
USED = """
import sys
from pathlib import Path

from niftyformer_assets.model import baselines

baselines.__path__.append(sys.argv[1])
from niftyformer_assets.artifacts import deciding_settings
from niftyformer_assets.experiments.files import read_experiment_file
from niftyformer_assets.model.checkpoint import ModelFolder, read_card
from niftyformer_assets_tests.model import test_trained

experiment = read_experiment_file(Path(sys.argv[2]), {})
assert experiment.rivals == ("zero",)
own = {"epochs": 2, "patience": 3, "sequences_per_epoch": 20_000, "perceptron_width": 5}
assert deciding_settings(experiment, "trained_model")["baselines"] == {"seed": None, **own}
files = test_trained.write(Path(sys.argv[3]), "perceptron", perceptron_width=5, patience=3, sequences_per_epoch=20_000)
test_trained.fit(files)
table = test_trained.predict(files)
assert len(table) and table["p_up"].between(0, 1).all()
assert read_card(ModelFolder(files.model).card)["settings"]["baselines"] == own
"""


def test_a_network_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "perceptron.py").write_text(ONE_FILE)
    experiment = tmp_path / "mine.yaml"
    experiment.write_text(
        "market: simulated\nsessions: {start: 2022-01-01, end: 2023-12-31, ratio: [0.6, 0.2, 0.2]}\n"
        "model: {name: perceptron}\nbaselines: {names: [perceptron, zero], perceptron_width: 5, epochs: 2}\n"
    )
    arguments = [sys.executable, "-c", USED, *map(str, (tmp_path / "more", experiment, tmp_path / "folder"))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


LIKE_THE_STOCKFORMER = '''
from dataclasses import dataclass, field
from typing import ClassVar

from niftyformer_assets.dataset.settings import WaveletSettings
from niftyformer_assets.model.baseline_registry import NetworkModel, baseline
from niftyformer_assets.model.settings import ModelSettings
from niftyformer_assets.model.training_settings import TrainingSettings


@baseline("one_map")
@dataclass(frozen=True)
class OneMap(NetworkModel):
    """The same map of both bands and of the place in the graph for every stock.

    one_map_width: of it.
    """

    reads_graph: ClassVar[bool] = True
    wants_gpu: ClassVar[bool] = True

    one_map_width: int = 8
    model: ModelSettings = field(default_factory=ModelSettings)
    wavelet: WaveletSettings = field(default_factory=WaveletSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def trained_with(self):
        return self.training

    def network(self, windows, stocks, factors):
        import torch
        from torch import nn

        from niftyformer_assets.model.network import Network, Outputs

        channels, width, horizons = 2 * (1 + factors), self.model.width, windows.output_sessions

        class Net(Network):
            def __init__(net):
                super().__init__()
                net.register_buffer("graph", torch.zeros(stocks, width))
                net.hidden = nn.Linear(channels + width, self.one_map_width)
                net.out = nn.Linear(self.one_map_width, 3 * horizons)

            def sees(net, data, made_on, dtype):
                return data.inputs(made_on, dtype)

            def take_constants(net, dataset):
                net.graph.copy_(torch.from_numpy(dataset.graph))

            def forward(net, inputs, dropped=None):
                bands = [band[:, -1, :, None] for band in (inputs.low, inputs.high)]
                seen = [*bands, inputs.factors_low[:, -1], inputs.factors_high[:, -1]]
                place = net.graph.expand(len(inputs.low), -1, -1).to(inputs.low.dtype)
                said = net.out(net.hidden(torch.cat([*seen, place], dim=-1)).relu()).movedim(-1, 1)
                value, logits = said.split([horizons, 2 * horizons], dim=1)
                return Outputs(value, None, logits.unflatten(1, (horizons, 2)).movedim(2, -1), None)

        return Net()
'''
USED_LIKE_THE_STOCKFORMER = """
import sys
from pathlib import Path

import pandas as pd

from niftyformer_assets.model import baselines

baselines.__path__.append(sys.argv[1])
from niftyformer_assets.artifacts import artifacts, deciding_settings
from niftyformer_assets.experiments.files import read_experiment_file
from niftyformer_assets.experiments.variants import what_decides
from niftyformer_assets.model.__main__ import main
from niftyformer_assets.model.checkpoint import ModelFolder, read_card
from niftyformer_assets.model.data import load_dataset
from niftyformer_assets.model.trained_things import trained_thing
from niftyformer_assets_tests.model import test_trained

assert trained_thing("one_map").model.wants_gpu


def experiment(**given):
    return read_experiment_file(Path(sys.argv[2]), {key.replace("__", "."): value for key, value in given.items()})


# Its sections decide on it, and its own settings; not what is of other models.
for made, asset in ((experiment(), "trained_model"), (experiment(model__name="zero"), "baseline_predictions")):
    assert set(artifacts()[asset].fit_for(made)) >= {"flow", "graph_embeddings", "corr_adj"}
    before = deciding_settings(made, asset)
    given = {} if asset == "trained_model" else {"model__name": "zero"}
    for key in ("training__patience", "graph__walks", "wavelet__level", "model__layers", "baselines__one_map_width"):
        assert deciding_settings(experiment(**given, **{key: 3}), asset) != before, key
for key, value in {"baselines__trees": 9, "baselines__seed": 5}.items():
    other = experiment(**{key: value})
    assert deciding_settings(other, "trained_model") == deciding_settings(experiment(), "trained_model")
    assert what_decides(other.values()) == what_decides(experiment().values())
assert what_decides(experiment(training__patience=3).values()) != what_decides(experiment().values())

# It is trained as section training says, in files and by the command.
files = test_trained.write(Path(sys.argv[3]), "one_map", one_map_width=5)
test_trained.change(files, training={"max_epochs": 2, "precision": "float32", "seeds": 2})
dataset = load_dataset(files.root)
assert dataset.graph.any() and dataset.settings.training.seeds == 2
test_trained.fit(files)
assert (files.model / "seed-43" / "best.pt").is_file()
table = test_trained.predict(files)
card = read_card(ModelFolder(files.model).card)
assert card["settings"]["baselines"] == {"one_map_width": 5} and card["settings"]["training"]["max_epochs"] == 2
assert "graph embedding" in card["data"] and "wavelet matrices" in card["data"]
test_trained.change(files, model={"name": "ridge", "width": test_trained.WIDTH})
pd.testing.assert_frame_equal(table, test_trained.rival("one_map", files), check_exact=True)
test_trained.change(files, model={"name": "one_map", "width": test_trained.WIDTH})
assert main(["--dataset", str(files.root), "--device", "cpu", "--max-epochs", "1", "--restart"]) == 0
assert read_card(ModelFolder(files.model).card)["settings"]["training"]["max_epochs"] == 1
"""


def test_a_network_that_sees_all_that_the_stockformer_sees_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "one_map.py").write_text(LIKE_THE_STOCKFORMER)
    experiment = tmp_path / "mine.yaml"
    experiment.write_text(
        "market: simulated\nsessions: {start: 2022-01-01, end: 2023-12-31, ratio: [0.6, 0.2, 0.2]}\n"
        "model: {name: one_map}\nbaselines: {names: [one_map, ridge]}\n"
    )
    arguments = [*map(str, (tmp_path / "more", experiment, tmp_path / "folder"))]
    done = subprocess.run(
        [sys.executable, "-c", USED_LIKE_THE_STOCKFORMER, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("    taps: int", "setting taps of baseline other needs a default"),
        ("    trees: int = 7", "setting trees of baseline other is another one elsewhere: rename it"),
        ("    name: str = 'x'", "setting name of baseline other is the name of the model: rename it"),
        ("    words: int = 3", "setting words of baseline other is what every model has: rename it"),
        ("    code: int = 3", "setting code of baseline other is what every model has: rename it"),
        (
            "    costs: WaveletSettings = field(default_factory=WaveletSettings)",
            "costs of baseline other is no section of a model: model, wavelet, training are",
        ),
    ],
)
def test_settings_that_a_model_cannot_have_are_refused(tmp_path: Path, field: str, message: str) -> None:
    (tmp_path / "other.py").write_text(
        "from dataclasses import dataclass, field\n"
        "from niftyformer_assets.dataset.settings import WaveletSettings\n"
        "from niftyformer_assets.model.baseline_registry import Baseline, baseline\n"
        f"@baseline('other')\n@dataclass(frozen=True)\nclass Other(Baseline):\n{field}\n"
        "    def fit(self, inputs, run): ...\n    def predict(self, learned, inputs, run): ...\n"
    )
    code = (
        "import sys\nfrom niftyformer_assets.model import baselines\nbaselines.__path__.append(sys.argv[1])\n"
        "import niftyformer_assets.model.baseline_settings"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.endswith(f"TypeError: {message}\n"), done.stderr
