"""Writes docs/settings.md, the reference of every setting, from the classes that hold them.

python docs/list_settings.py
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.study import Ensemble, StudySettings, WalkForward
from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.model.baseline_settings import BaselineSettings
from niftyformer_assets.portfolio.backtest.strategy_registry import Places
from niftyformer_assets.portfolio.backtest.strategy_registry import registered as strategies
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.portfolio.settings import StrategySettings
from niftyformer_assets.settings import PROJECT, Settings

PAGE = PROJECT / "docs" / "settings.md"
WORDS = {
    "T1": "windows.input_sessions, the sessions the model looks at",
    "T2": "windows.output_sessions, how many sessions ahead it predicts; or how many windows.targets there are",
    "top-k": "strategy.top_k, how many stocks are held",
    "bps": "basis points, hundredths of a percent of what is traded",
    "session": "a day on which the exchange traded",
}
# What the name says only to those who know, and no docstring says.
MEANINGS = {
    "model.width": "of the states of the network, D",
    "model.layers": "blocks of the network one after the other",
    "model.heads": "of each attention; width is a multiple of it",
    "model.dropout": "share of states dropped in training",
    "training.batch_size": "sessions that a step of the optimiser looks at",
    "training.learning_rate": "of the optimiser at the start, or after the warm-up",
    "training.max_epochs": "passes over the training sessions at most",
    "training.patience": "epochs without a better validation figure (`monitor`) after which training stops",
    "training.gradient_clip": "the largest norm of a step's gradient",
    "training.scheduler_factor": "what the learning rate is multiplied by when validation no longer improves",
    "training.scheduler_patience": "epochs without improvement before it is",
    "training.min_learning_rate": "the learning rate falls no lower",
    "wavelet.wavelet": "a discrete wavelet's name in PyWavelets",
    "wavelet.level": "how often the low band is split again",
    "graph.sessions": "sessions a correlation is taken over",
    "graph.embedding": "how a stock's place in the graph becomes a vector",
    "graph.walks": "random walks from each stock",
    "graph.walk_length": "stocks of a walk",
}
EXPERIMENT = {
    "market": "whose candles the experiment is for: workspaces show only those of their market",
    "sessions": "`train`, `validation` and `test`, each with `start` and `end` (dates, both included); or `start`, "
    "`end` and `ratio`, three shares that add up to 1",
    "seed": "of everything that is drawn at random",
}
STUDY = {
    "walk_forward": "windows one after the other, below; without it the experiment's own sessions",
    "ensembles": "named means of scores, below",
    "train_months": "of training in the first window, and in every one where training is rolling",
    "validation_months": "between training and test",
    "test_months": "of test",
}
ENVIRONMENT = {
    "kite_api_key": "of your Kite app; with it candles are Zerodha's",
    "kite_api_secret": "of your Kite app, for `niftyformer login`",
    "kite_access_token": "used instead of the one that `niftyformer login` keeps",
    "kite_root": "who answers the Kite client",
    "kite_requests_per_second": "candles are asked for at most so often; Kite's limit is 3",
    "kite_timeout_s": "seconds to wait for an answer of Kite to begin, and for each of its parts",
    "kite_attempts": "how often a request is sent before its symbol fails",
    "index_list_root": "where NSE's constituent lists are published",
    "workspace_name": "folder of data/ and storage/ to work in; by itself demo, nifty200 (with a key) or replay",
    "replay": "a folder of candles instead of Zerodha",
    "index_list": "the constituent lists of NSE that go with it, tables of membership or sectors, or folders of them, "
    "parted as in PATH",
    "adjusted_close": "multiply its prices by Adj Close / Close",
    "benchmark": "NIFTY 50 candles, CSV or Parquet",
    "total_return": "NIFTY 50 total return index, columns date and tri",
    "history_start": "Zerodha is asked for candles from this date on",
    "data": "where artifacts lie",
    "storage": "where Dagster's homes lie",
    "experiments": "where experiment files lie",
    "made_up": "of the made-up market, below: `NIFTYFORMER_MADE_UP__STOCKS=20`",
    "made_up_start": "first date of the made-up market",
    "made_up_end": "last date of the made-up market",
    "cpu_allowed": "train on the CPU where there is no GPU; by itself everywhere but on Zerodha's candles",
    "broker": "address of the Redis that hands steps to workers on several machines ([how](scale.md))",
    "reports_port": "where the reports are served on this machine, beside the web UI",
    "signal_experiment": "the experiment whose daily signals are given; the only one by itself",
    "signal_max_age_days": "days from the last session that its model learned from to the newest one, at most",
    "orders": "of the orders that are proposed, below: `NIFTYFORMER_ORDERS__HOLDINGS=kite`",
    "alerts": "whom to tell what, as addresses of Apprise parted by spaces ([alerts](alerts.md)); nobody by itself",
    "overrides": "as `--set`, for all experiments: JSON of `section.key` and value",
}


def page() -> str:
    """The whole reference as Markdown."""
    parts = [
        "# Every setting\n\nWritten by `python docs/list_settings.py` from the code.\n",
        "## Words\n\n" + "\n".join(f"- **{word}**: {meaning}" for word, meaning in WORDS.items()) + "\n",
        "## An experiment\n\nA file `data/experiments/NAME.yaml`, or `--set section.key=value`. What it leaves out has "
        "the value given here.\n",
        _table([(name, EXPERIMENT[name], *_allowed_and_default(name)) for name in EXPERIMENT]),
    ]
    for name, field in Experiment.model_fields.items():
        if dataclasses.is_dataclass(field.annotation) and name not in EXPERIMENT:
            parts.append(_section(name, field.annotation))
    parts.append(
        "## A study\n\nA file `data/studies/NAME.yaml`: one experiment in many windows, with many seeds and settings.\n"
    )
    parts += [
        _model(prefix, of)
        for prefix, of in (("", StudySettings), ("walk_forward.", WalkForward), ("ensembles.NAME.", Ensemble))
    ]
    rows = [
        (
            str(field.validation_alias or f"NIFTYFORMER_{name.upper()}"),
            ENVIRONMENT[name],
            _values(field.annotation),
            "below" if name in ("made_up", "orders") else _default(field.get_default(call_default_factory=True)),
        )
        for name, field in Settings.model_fields.items()
    ]
    parts += ["## The environment\n\nRead from the environment or from a file `.env`.\n", _table(rows)]
    return "\n".join([*parts, _section("made_up", MadeUpSettings), _section("orders", OrderSettings)])


def _allowed_and_default(name: str) -> tuple[str, str]:
    field = Experiment.model_fields.get(name)
    if field is None:
        return "mapping", "none"
    values = "mapping" if name == "sessions" else _values(field.annotation)
    return values, "must be given" if field.is_required() else _default(field.default)


def _model(prefix: str, of: type[BaseModel]) -> str:
    """The keys of a part of a study's file."""
    said = _said(of)
    rows = [
        (
            f"{prefix}{name}",
            said.get(name) or STUDY[name],
            _values(field.annotation),
            "must be given" if field.is_required() else _default(field.get_default(call_default_factory=True)),
        )
        for name, field in of.model_fields.items()
    ]
    return _table(rows)


def _section(name: str, of: Any) -> str:
    """A section of an experiment: its keys, and the rules that its values are held to."""
    rows, rules = _rows(name, of), "".join(f"- {rule}\n" for part in _parts(of) for rule in _rules(part))
    summary = (inspect.getdoc(of) or "").partition("\n")[0]
    return f"### {name}\n\n{summary}\n\n{_table(rows)}\n{rules}"


def _rows(name: str, of: Any) -> list[tuple[str, str, str, str]]:
    """A row a key, those of each of a list after it."""
    said = {key: meaning for part in _parts(of) for key, meaning in _said(part).items()}
    if of is StrategySettings:
        said["name"] = "; ".join(f"`{name}` {_summary(each)}" for name, each in strategies().items()) + "."
    rows = []
    for field in dataclasses.fields(of):
        key, hint = f"{name}.{field.name}", get_type_hints(of)[field.name]
        default = "must be given" if field.default is dataclasses.MISSING else _default(field.default)
        rows.append((key, MEANINGS.get(key) or said[field.name], _values(hint), default))
        if (each := _of_list(hint)) is not None:
            rows += _rows(f"{key}[]", each)
    return rows


def _of_list(hint: Any) -> Any:
    """The settings that each of a list has, if they are settings."""
    each = next(iter(get_args(hint)), None) if get_origin(hint) is tuple else None
    return each if dataclasses.is_dataclass(each) else None


def _parts(of: Any) -> list[Any]:
    """The classes whose fields a section has: its own, and those of each baseline."""
    kinds = [*{BaselineSettings: registered, StrategySettings: strategies}.get(of, dict)().values()]
    bases = [base for kind in kinds for base in kind.__mro__ if dataclasses.is_dataclass(base)]
    if kinds:
        return list(dict.fromkeys([of, *bases]))
    each = [found for hint in get_type_hints(of).values() if (found := _of_list(hint)) is not None]
    return [of, *(part for found in each for part in _parts(found))]


def _summary(of: Any) -> str:
    """What the docstring of a class says first, within a sentence."""
    text = " ".join((inspect.getdoc(of) or "").partition("\n\n")[0].split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _said(of: Any) -> dict[str, str]:
    """What the docstring of a class says of its fields."""
    found: dict[str, str] = {}
    fields = set(of.__dataclass_fields__ if dataclasses.is_dataclass(of) else of.model_fields)
    open_names: list[str] = []
    for line in (inspect.getdoc(of) or "").splitlines():
        begun = re.match(r"([a-z_0-9]+(?:, [a-z_0-9]+)*): (.*)", line)
        if begun and set(begun[1].split(", ")) <= fields:
            open_names = begun[1].split(", ")
            found |= dict.fromkeys(open_names, begun[2].strip())
        elif line.startswith("    ") and open_names:
            found |= {name: f"{found[name]} {line.strip()}" for name in open_names}
        else:
            open_names = []
    return found


def _rules(of: Any) -> list[str]:
    """The words of each `require` in a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(of)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "require"]
    return [_words(call.args[1]) for call in sorted(calls, key=lambda call: call.lineno)]


def _words(text: ast.expr) -> str:
    """A text of the code, with dots for what is only known when it is said."""
    pieces = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(piece.value) if isinstance(piece, ast.Constant) else "…" for piece in pieces)


def _values(annotation: Any) -> str:
    if annotation == Places:
        return "number or share"
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    if dataclasses.is_dataclass(annotation) or annotation is WalkForward or get_origin(annotation) is dict:
        return "mapping"
    if annotation == tuple[Path, ...]:
        return "paths"
    if get_origin(annotation) in (list, tuple):
        return "list"
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if len(parts) > 1:
        return " or ".join(map(_values, parts))
    if parts and type(None) in get_args(annotation):
        return _values(parts[0])
    return getattr(annotation, "__name__", str(annotation)).replace("SecretStr", "str")


def _default(value: Any) -> str:
    if isinstance(value, Path):
        return value.relative_to(PROJECT).as_posix() if value.is_relative_to(PROJECT) else str(value)
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, {}, "") else str(value)


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = ["| setting | meaning | values | default |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {' | '.join(rest)} |" for name, *rest in rows)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
