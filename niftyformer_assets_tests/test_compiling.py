"""Compiled code is found again, and never once a source that it rests on has changed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from niftyformer_assets import compiling
from niftyformer_assets.store.private import private_temporary_folder
from niftyformer_assets_tests.shared_data import ROOT

LAGS = """
import numpy as np
from niftyformer_assets import compiling
from niftyformer_assets.factors.kernels import lags
x = np.ones((3, 2))
lags.lagged_ratio(x, x, np.zeros((3, 2), np.int32), 1, 0, np.empty((3, 2), np.float32))
print(compiling.cache_folder(compiling.Path(lags.__file__)))
print(sum(lags.lagged_ratio.stats.cache_hits.values()))
"""


def in_a_new_process(code: str, root: Path = ROOT, **variables: str) -> list[str]:
    """The lines that Python code prints, with the package of `root`."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": str(root), **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_the_second_process_finds_the_compiled_code(tmp_path: Path) -> None:
    folder, hits = in_a_new_process(LAGS, NUMBA_CACHE_DIR=str(tmp_path))
    assert Path(folder).parent == tmp_path
    assert hits == "0"
    assert in_a_new_process(LAGS, NUMBA_CACHE_DIR=str(tmp_path)) == [folder, "1"]


def test_a_package_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the user's cache folder is used; if that cannot be written either, the temporary files are."""
    user, file = tmp_path / "cache", Path(__file__)
    monkeypatch.setattr(compiling.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(user))
    monkeypatch.setattr(compiling, "_writable", lambda folder: folder == user)
    compiling.cache_folder.cache_clear()
    try:
        assert compiling.cache_folder(file).parent == user
        compiling.cache_folder.cache_clear()
        monkeypatch.setattr(compiling, "_writable", lambda folder: False)
        assert compiling.cache_folder(file).parent == private_temporary_folder()
    finally:
        compiling.cache_folder.cache_clear()


def test_writable_says_what_is(tmp_path: Path) -> None:
    assert compiling._writable(tmp_path / "new")
    (tmp_path / "file").write_text("")
    assert not compiling._writable(tmp_path / "file")


def copied_package(to: Path) -> Path:
    shutil.copytree(
        ROOT / "niftyformer_assets", to / "niftyformer_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    return to / "niftyformer_assets"


def change(file: Path, old: str, new: str) -> None:
    """Put `new` for `old`, with the size and the time of the file as they were: what numba itself looks at."""
    before, text = file.stat(), file.read_text()
    assert text.count(old) == 1
    assert len(old) == len(new)
    file.write_text(text.replace(old, new))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


SALE = """
import numpy as np
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
axes = Axes(np.busday_offset("2024-11-04", np.arange(3)), ("A",))
price = np.full((3, 1), 100.0)
yes = np.ones((3, 1), dtype=bool)
market = Market(axes, price, price + 1, price - 1, price, price * 1e6, yes, np.zeros((3, 1), dtype=int))
result = run_backtest(Scores(axes, price), market, StrategySettings(top_k=1), CostSettings())
print(result.orders["gst"].sum())
print(result.orders["shares"].sum())
"""


def test_a_constant_of_another_file_is_that_of_the_sources(tmp_path: Path) -> None:
    """The backtest charged the old rate until its engine's own file was edited."""
    package, cache = copied_package(tmp_path), str(tmp_path / "cache")
    (before, shares), again = (in_a_new_process(SALE, tmp_path, NUMBA_CACHE_DIR=cache) for _ in range(2))
    assert again == [before, shares]
    change(package / "portfolio" / "backtest" / "costs.py", "GST_PERCENT = 18", "GST_PERCENT = 36")
    assert in_a_new_process(SALE, tmp_path, NUMBA_CACHE_DIR=cache) == [str(2 * float(before)), shares]


RULES = """
import numpy as np
from niftyformer_assets.artifacts import artifacts
from niftyformer_assets.portfolio.backtest.market import Market
from niftyformer_assets.portfolio.backtest.run import run_backtest
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
axes = Axes(np.busday_offset("2024-11-04", np.arange(9)), tuple("ABC"))
price = np.full((9, 3), 100.0)
yes = np.ones((9, 3), dtype=bool)
market = Market(axes, price, price + 1, price - 1, price, price * 1e6, yes, np.zeros((9, 3), dtype=int))
scores = Scores(axes, np.tile([1.0, 2.0, 3.0], (9, 1)))
result = run_backtest(scores, market, StrategySettings(name="{name}", top_k=2), CostSettings())
print((result.orders["shares"] > 0).sum())
print(artifacts()["backtest_report"].code)
"""
NOTHING = """
from dataclasses import dataclass
from niftyformer_assets.portfolio.backtest.strategy_registry import Rebalanced, strategy

@strategy("best_of_none")
@dataclass(frozen=True)
class BestOfNone(Rebalanced):
    @classmethod
    def rule(cls):
        from niftyformer_assets.compiling import step

        @step
        def best_of_none(d, age, equity, book, tape, ranking, rules):
            return 0, False, 1

        return best_of_none
"""


def test_a_strategy_that_is_changed_or_added_trades_as_its_file_says(tmp_path: Path) -> None:
    """Its rule is compiled into the engine, of which no other file changes; the report is of other code then."""
    package, cache = copied_package(tmp_path), str(tmp_path / "cache")
    strategies = package / "portfolio" / "backtest" / "strategies"

    def traded(name: str) -> tuple[int, str]:
        orders, code = in_a_new_process(RULES.replace("{name}", name), tmp_path, NUMBA_CACHE_DIR=cache)
        return int(orders), code

    before, code = traded("equal_weight")
    assert traded("equal_weight") == (before, code)
    (strategies / "best_of_none.py").write_text(NOTHING)
    orders, of_more = traded("best_of_none")
    assert before > 0 and orders == 0 and of_more != code
    assert traded("equal_weight")[0] == before
    change(strategies / "equal_weight.py", "age % rules.rebalance_every != 0", "age % rules.rebalance_every >= 0")
    orders, of_other = traded("equal_weight")
    assert orders == 0 and of_other not in (code, of_more)


IMPORTS = {
    "directly": "from niftyformer_assets.factors.far import RATE",
    "relatively": "from .far import RATE",
    "module": "from niftyformer_assets.factors import far\nRATE = far.RATE",
    "whole_name": "import niftyformer_assets.factors.far\nRATE = niftyformer_assets.factors.far.RATE",
    "package": "from niftyformer_assets.factors import RATE",
}
KERNEL = """
from niftyformer_assets.compiling import kernel
from niftyformer_assets.factors.{way} import RATE

@kernel
def charge(value):
    return value * RATE
"""


def test_however_a_constant_comes_into_a_kernel(tmp_path: Path) -> None:
    package, cache = copied_package(tmp_path), str(tmp_path / "cache")
    (package / "factors" / "__init__.py").write_text("from niftyformer_assets.factors.far import RATE\n")
    (package / "factors" / "far.py").write_text("RATE = 18\n")
    for way, imported in IMPORTS.items():
        (package / "factors" / f"{way}.py").write_text(f"{imported}\n")
        (package / "dataset" / f"by_{way}.py").write_text(KERNEL.format(way=way))
    use = "\n".join(
        f"from niftyformer_assets.dataset.by_{way} import charge\nprint(charge(2), *charge.stats.cache_hits.values())"
        for way in IMPORTS
    )
    of_all = len(IMPORTS)
    assert in_a_new_process(use, tmp_path, NUMBA_CACHE_DIR=cache) == ["36"] * of_all
    assert in_a_new_process(use, tmp_path, NUMBA_CACHE_DIR=cache) == ["36 1"] * of_all
    change(package / "factors" / "far.py", "RATE = 18", "RATE = 36")
    assert in_a_new_process(use, tmp_path, NUMBA_CACHE_DIR=cache) == ["72"] * of_all


def test_everything_that_is_compiled_goes_this_way() -> None:
    """Only `compiling` names numba's compilers, so nothing can be compiled past it."""
    own = ROOT / "niftyformer_assets" / "compiling.py"
    for file in sorted((ROOT / "niftyformer_assets").rglob("*.py")):
        named = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(file.read_bytes()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert ("numba" in named) == (file == own), file
