"""What docs/extending.md shows works: applied to a copy of the package, with the whole graph of an experiment on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from niftyformer_assets.settings import PROJECT

PAGE = PROJECT / "docs" / "extending.md"
# A path in a line of its own, and a block of what is to be there; a second block is of the same file.
BLOCK = re.compile(r"^(?:`([\w/]+\.\w+)`(?:, new)?:\n\n)?```(python|diff|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPERIMENT = "data/experiments/mine.yaml"


class Shown(NamedTuple):
    """A block of the page."""

    path: str
    kind: str
    text: str


def shown() -> list[Shown]:
    found: list[Shown] = []
    for path, kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        found.append(Shown(path or found[-1].path, kind, text))
    return found


def changed(before: str, diff: str) -> str:
    """A text with the lines of a diff added and taken away; what is there already must be there once."""
    lines = [(line[:1] or " ", line[1:]) for line in diff.splitlines()]
    assert {sign for sign, _ in lines} <= {" ", "+", "-"}, diff
    old, new = ("".join(f"{text}\n" for sign, text in lines if sign != without) for without in "+-")
    assert before.count(old) == 1, f"not there once:\n{old}"
    return before.replace(old, new)


def apply(root: Path) -> None:
    for path, kind, text in shown():
        file = root / path
        if kind == "diff":
            file.write_text(changed(file.read_text(encoding="utf-8"), text), encoding="utf-8")
        else:
            assert not file.exists(), path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's code with all that the page adds."""
    root = tmp_path_factory.mktemp("extended")
    shutil.copy(PROJECT / "pyproject.toml", root)
    shutil.copytree(
        PROJECT / "niftyformer_assets", root / "niftyformer_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(PROJECT / "data" / "reference", root / "data" / "reference")
    apply(root)
    return root


MAKE = """
import json
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from niftyformer_assets.defs import build
from niftyformer_assets.factors.registry import FACTOR_SETS
from niftyformer_assets.market.panel import load_panel
from niftyformer_assets_tests.conftest import Graph, failure_of, tiny_settings

settings = tiny_settings(Path(sys.argv[1]))
(settings.experiments / "tiny.yaml").unlink()
(settings.experiments / "mine.yaml").write_text(Path(sys.argv[2]).read_text())
with dg.DagsterInstance.ephemeral() as instance:
    graph = Graph(settings, build(settings), instance)
    for job, of in (("reference", None), ("candles", None), ("panels", None), ("experiment", "mine")):
        result = graph.run(job, of)
        assert result.success, job + ": " + failure_of(result)
checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}

workspace, folder = settings.workspace, settings.workspace.experiment("mine")
panel, chosen = load_panel(workspace.market_panel), FACTOR_SETS["illiquidity_own"]
values = chosen.compute(panel, 0, None)
np.testing.assert_array_equal(chosen.compute(panel, 100, None), values[:, 100:])
factors = dict(zip(chosen.names, values, strict=True))
close, money = panel.close, (panel.high + panel.low + panel.close) / 3 * panel.volume
by_hand = np.mean(abs(close[96:101] / close[95:100] - 1) / money[96:101] * 1e9, axis=0)
np.testing.assert_allclose(factors["ILLIQ5"][100], by_hand, rtol=1e-5)
np.testing.assert_allclose(factors["RANGE"], panel.high / panel.low - 1, rtol=1e-5)
assert np.isfinite(by_hand).sum() > 5

orders = pd.read_parquet(folder.backtest / "trades.parquet").query("status == 'filled'")
sessions = pd.Index(panel.axes.dates)
bought, held_for = {}, []
for order in orders.itertuples():
    place = sessions.get_loc(order.session)
    if order.side == "buy":
        bought[order.symbol] = place
    elif order.reason == "drop":
        held_for.append(place - bought[order.symbol])
stability = pd.read_parquet(folder.score_stability)
print(json.dumps({
    "checks": checks,
    "selected": folder.selected_factors.read_text().split(),
    "model": json.loads((folder.model / "model.json").read_text())["settings"]["model"],
    "beside": sorted(pd.read_parquet(folder.baseline_predictions)["baseline"].unique()),
    "indices": sorted(pd.read_parquet(workspace.universe)["index"].unique()),
    "held_for": sorted(set(held_for)),
    "stability": [len(stability), float(stability["correlation"].abs().max())],
}))
"""


def test_the_whole_graph_is_made_with_what_the_page_adds(extended: Path, tmp_path: Path) -> None:
    places = os.pathsep.join([str(extended), str(PROJECT)])
    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(tmp_path), str(extended / EXPERIMENT)],
        env={**os.environ, "PYTHONPATH": places},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["checks"]["not_overconfident"] is True
    assert {"ILLIQ5", "ILLIQ20", "RANGE"} <= set(found["selected"])
    assert "window_mean" in json.dumps(found["model"])
    assert "low_risk" in found["beside"]
    assert found["indices"] == ["niftynext50"]
    assert found["held_for"] == [4]
    sessions, largest = found["stability"]
    assert sessions > 40 and 0 < largest <= 1


def test_it_is_written_as_the_project_is(extended: Path) -> None:
    """What a reader copies passes the formatter and lint."""
    files = sorted({path for path, _, _ in shown() if path.endswith(".py")})
    for words in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", *files],
            cwd=extended,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_diff_that_does_not_fit_is_found() -> None:
    assert changed("a\nb\n", " a\n+c\n-b\n") == "a\nc\n"
    for wrong in (" x\n+c\n", " a\n+c\n"):
        with pytest.raises(AssertionError, match="not there once"):
            changed("a\nb\na\n", wrong)
