"""Nothing is made twice: what another experiment has made from the same is taken over, and only that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.defs import build
from niftyformer_assets.store.provenance import must_be_as_recorded, must_have_record
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, everything_made, failure_of

HOLD = """
import time, filelock
with filelock.FileLock({place!r}):
    print("held", flush=True)
    time.sleep(2)
"""
ROWS = artifacts()
EXPERIMENT = phases(ROWS)["experiment"]


def _with(text: str, section: str, **settings: object) -> str:
    content = yaml.safe_load(text)
    content[section] = content.get(section, {}) | settings
    return yaml.safe_dump(content)


OTHERS = {
    "holds_more": _with(TINY_EXPERIMENT, "strategy", top_k=4),
    "second_seed": _with(TINY_EXPERIMENT, "training", seed=43),
    "holds_less": _with(TINY_EXPERIMENT, "strategy", top_k=2),
    "comes_late": _with(TINY_EXPERIMENT, "strategy", top_k=5),
    "waits": _with(TINY_EXPERIMENT, "strategy", top_k=1),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A workspace in which `tiny` is made, and others that differ from it in one setting are not."""
    with everything_made(tmp_path_factory.mktemp("shared")) as made:
        for name, text in OTHERS.items():
            (made.settings.experiments / f"{name}.yaml").write_text(text)
        yield Graph(made.settings, build(made.settings), made.instance)


def taken_over(made: Graph, name: str) -> dict[str, str]:
    """By artifact of an experiment that is run now: from whom it was taken over."""
    result = made.run("experiment", name)
    assert result.success, failure_of(result)
    found = {}
    for event in result.get_asset_materialization_events():
        said = event.materialization
        if "taken_over_from" in said.metadata:
            found[said.asset_key.to_user_string()] = str(said.metadata["taken_over_from"].value)
            assert set(said.metadata) > {"taken_over_from", "file", "size_bytes", "provenance"}, "what the other shows"
    return found


def test_what_differs_in_the_strategy_alone_is_not_trained_again(made: Graph) -> None:
    assert taken_over(made, "holds_more") == dict.fromkeys(set(EXPERIMENT) - {"backtest_report"}, "tiny")
    ours, theirs = (made.settings.workspace.experiment(name) for name in ("holds_more", "tiny"))
    for name in EXPERIMENT[:-1]:
        record = must_have_record(ours.provenance, name)
        must_be_as_recorded(ours.provenance, record)
        assert record == must_have_record(theirs.provenance, name)
    assert (ours.predictions.stat().st_ino, ours.predictions.read_bytes()) == (
        theirs.predictions.stat().st_ino,
        theirs.predictions.read_bytes(),
    )
    assert sorted(path.name for path in ours.factors.iterdir()) == sorted(p.name for p in theirs.factors.iterdir())
    assert '"top_k": 4' in ours.settings.read_text() and ours.stockformer_conf.is_file()
    assert (ours.model / "output").is_dir()


def test_what_is_not_as_recorded_is_taken_over_from_another_or_made(made: Graph) -> None:
    damaged = {"tiny": {"flow", "corr_adj", "trained_model"}, "holds_more": {"trained_model"}}
    before = {}
    for experiment, assets in damaged.items():
        theirs = made.settings.workspace.experiment(experiment)
        for asset in assets:
            path = theirs.root / next(iter(must_have_record(theirs.provenance, asset).outputs))
            before[path] = path.read_bytes()
            content = bytearray(before[path])
            content[len(content) // 2] ^= 1
            path.unlink()  # the file has other names by now
            path.write_bytes(bytes(content))
    taken = taken_over(made, "holds_less")
    assert "trained_model" not in taken
    assert (taken["flow"], taken["corr_adj"], taken["ic_summary"]) == ("holds_more", "holds_more", "tiny")
    for path, content in before.items():
        path.write_bytes(content)


def test_whoever_wants_what_another_is_making_waits_and_takes_it_over(made: Graph) -> None:
    workspace = made.settings.workspace
    record = must_have_record(workspace.experiment("tiny").provenance, "flow")
    place = workspace.making_lock("flow", record.fingerprint)
    place.parent.mkdir(parents=True, exist_ok=True)
    holding = subprocess.Popen([sys.executable, "-c", HOLD.format(place=str(place))], stdout=subprocess.PIPE, text=True)
    assert holding.stdout is not None and holding.stdout.readline() == "held\n"
    assert "flow" in taken_over(made, "waits")
    assert holding.wait() == 0, "it had let go before"


def test_what_its_maker_has_no_more_is_taken_over_from_whoever_has_it(made: Graph) -> None:
    # `tiny` made all, `holds_more` took all but the backtest over, and then `tiny` is gone.
    workspace = made.settings.workspace
    tiny, aside = workspace.experiment("tiny").root, workspace.root / "aside"
    tiny.rename(aside)
    try:
        assert taken_over(made, "comes_late") == dict.fromkeys(set(EXPERIMENT) - {"backtest_report"}, "holds_more")
    finally:
        aside.rename(tiny)


def test_another_seed_shares_all_but_what_is_trained(made: Graph) -> None:
    trained = {"trained_model", "predictions", "backtest_report"}
    assert taken_over(made, "second_seed").keys() == set(EXPERIMENT) - trained
    ours, theirs = (made.settings.workspace.experiment(name) for name in ("second_seed", "tiny"))
    assert ours.predictions.read_bytes() != theirs.predictions.read_bytes()
    # Making it again leaves what others took over as it was.
    embedding, flow = ours.graph_embeddings.read_bytes(), ours.flow.read_bytes()
    (made.settings.experiments / "tiny.yaml").write_text(_with(TINY_EXPERIMENT, "graph", threshold=0.1))
    result = made.run("experiment", "tiny")
    assert result.success, failure_of(result)
    assert theirs.graph_embeddings.read_bytes() != embedding == ours.graph_embeddings.read_bytes()
    assert theirs.flow.read_bytes() == flow == ours.flow.read_bytes()
