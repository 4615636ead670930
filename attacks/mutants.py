"""Small faults in what decides on money and skill, one at a time: the tests of each part are to notice every one.

    python -m attacks.mutants                # all parts: hours
    python -m attacks.mutants costs --most 40 --seed 1

A mutant is a module with one operator or number changed, in a copy of the project. In a process of its own the tests
named beside the module run until one fails; mutants that none notices are listed. The tools there are wrap functions so
that numba cannot compile them, or start an interpreter for each mutant.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("niftyformer_assets", "niftyformer_assets_tests", "data/reference", "data/experiments", "pyproject.toml")
_ACCOUNT = ("portfolio/backtest/test_backtest.py", "portfolio/backtest/test_slow_backtest.py")
# By part the module that is changed, and the tests that are to notice.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cleaning": ("market/cleaning.py", ("market/test_cleaning.py", "market/test_traded_dates.py")),
    "costs": ("portfolio/backtest/costs.py", ("portfolio/backtest/test_costs.py", *_ACCOUNT)),
    "engine": ("portfolio/backtest/engine.py", _ACCOUNT),
    "execution": ("portfolio/backtest/execution.py", ("portfolio/backtest/test_costs.py", *_ACCOUNT)),
    "ic": ("factors/ic.py", ("factors/test_ic.py",)),
    "labels": ("factors/labels.py", ("factors/test_labels.py", "factors/test_net_of.py")),
    "rank_ic": ("factors/rank_ic.py", ("factors/test_ic.py",)),
}
# What the tests of one mutant may take; a loop without end is noticed, too.
LIMIT_S = 1200
# Loaded once, and found by each process.
LOADED = ("dagster", "hypothesis", "numba", "pandas", "pyarrow.parquet", "pytest", "scipy.stats")
_PAIRS = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.And, ast.Or), (ast.BitAnd, ast.BitOr)),
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div)),
)
SWAPPED: dict[type, Any] = dict(_PAIRS) | {after: before for before, after in _PAIRS} | {ast.FloorDiv: ast.Mult}
# Where a change is of types or options, and not of what is computed.
LEFT_OUT = ("annotation", "returns", "decorator_list")


class Mutant(NamedTuple):
    """The source of a module with one change, and what that is."""

    line: int
    change: str
    source: str


def mutants(source: str) -> list[Mutant]:
    """Every module that differs from this one in one operator or number."""
    found = []
    for number, node in enumerate(_computed(ast.parse(source))):
        tree = ast.parse(source)
        other = list(_computed(tree))[number]
        if _changed(other):
            found.append(Mutant(node.lineno, f"{ast.unparse(node)}  ->  {ast.unparse(other)}", ast.unparse(tree)))
    return found


def _computed(node: ast.AST) -> Iterator[Any]:
    """The expressions of a tree, without annotations, decorators and what is only said."""
    if isinstance(node, (ast.Compare, ast.BinOp, ast.BoolOp, ast.Constant)):
        yield node
    if not isinstance(node, (ast.Raise, ast.JoinedStr)):
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and name not in LEFT_OUT:
                    yield from _computed(child)


def _changed(node: Any) -> bool:
    """Change an expression, where there is a change of it."""
    if isinstance(node, ast.Constant):
        changes = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        node.value = node.value + 1 if changes else node.value
        return changes
    before = node.ops[0] if isinstance(node, ast.Compare) else node.op
    if (other := SWAPPED.get(type(before))) is None:
        return False
    if isinstance(node, ast.Compare):
        node.ops[0] = other()
    else:
        node.op = other()
    return True


def pass_in(copy: Path, tests: Sequence[str]) -> bool:
    """Whether the tests pass, in a process of their own, with the copy of the project as it is."""
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        sys.dont_write_bytecode = True  # which Python would believe by the time of a file, in seconds
        signal.alarm(LIMIT_S)
        words = ["-x", "-q", "-p", "no:cacheprovider", *(f"niftyformer_assets_tests/{test}" for test in tests)]
        os._exit(importlib.import_module("pytest").main(words))
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m attacks.mutants", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"by itself all: {', '.join(PARTS)}")
    parser.add_argument("--most", type=int, default=10**9, help="of each part, drawn by chance")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in LOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="niftyformer-mutants-") as name:
        copy = Path(name, "code")
        for path in COPIED:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / path).is_dir() else shutil.copy)(ROOT / path, copy / path)
        for part in chosen.parts or PARTS:
            began, (module, tests) = time.monotonic(), PARTS[part]
            file = copy / "niftyformer_assets" / module
            sound = file.read_text(encoding="utf-8")
            if not pass_in(copy, tests):
                sys.exit(f"{part}: its tests fail without a mutant")
            every = mutants(sound)
            drawn = random.Random(chosen.seed).sample(every, min(chosen.most, len(every)))
            noticed = 0
            for mutant in sorted(drawn):
                file.write_text(mutant.source, encoding="utf-8")
                if pass_in(copy, tests):
                    print(f"  {module}:{mutant.line}: {mutant.change}", flush=True)
                else:
                    noticed += 1
            file.write_text(sound, encoding="utf-8")
            took = time.monotonic() - began
            print(f"{part}: {noticed} of {len(drawn)} noticed, of {len(every)} there are; {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
