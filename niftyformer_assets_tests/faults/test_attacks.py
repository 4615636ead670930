"""The attacks of `make attack` in short: a few of each kind, and none may end as none may."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from attacks.answers import DEALT, VALUES, answer_wrongly
from attacks.artifacts import artifacts
from attacks.damage import DAMAGES, damage_everything
from attacks.kills import kill_everything
from attacks.outcomes import Attack, Outcome, wrong
from attacks.scene import copy_scene
from niftyformer_assets.exchange.faults import Faults
from niftyformer_assets_tests.conftest import Graph

# Quick ones that between them read arrays, tables, figures, records, and weights.
READERS = frozenset({"sector_dummies", "returns", "predictions", "model_comparison"})


def test_kills(tmp_path: Path) -> None:
    found = list(kill_everything(tmp_path, 1, {"first start": 1, "ingest": 1}))
    assert len(found) == 2
    assert not wrong(found)


def test_faulty_answers(tmp_path: Path) -> None:
    found = list(answer_wrongly(tmp_path, 1, alone=0, mixed=2))
    assert len(found) == 2
    assert not wrong(found)


def test_damage(graph: Graph, tmp_path: Path) -> None:
    found = list(damage_everything(tmp_path, 1, 0.01, graph.settings.data.parent, READERS))
    assert {attack.kind for attack in found} == set(DAMAGES)
    assert {attack.on.rpartition(" ")[2] for attack in found} == READERS
    assert not wrong(found)


def test_an_artifact_that_the_attacks_do_not_know_is_told(graph: Graph, tmp_path: Path) -> None:
    scene = tmp_path / "scene"
    copy_scene(graph.settings.data.parent, scene)
    _, unknown = artifacts(scene)
    assert not unknown
    (scene / "data" / "demo" / "new.parquet").write_bytes(b"new")
    (scene / "data" / "demo" / "experiments" / "tiny" / "model" / "new.pt").write_bytes(b"new")
    _, unknown = artifacts(scene)
    assert any("new.parquet" in name for name in unknown) and any("new.pt" in name for name in unknown)


def test_every_fault_of_the_exchange_has_values() -> None:
    assert VALUES.keys() | DEALT == {field.name for field in dataclasses.fields(Faults)}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_changes_a_file_of_every_kind(graph: Graph, kind: str) -> None:
    known, _ = artifacts(graph.settings.data.parent)
    for artifact in known:
        for name in {Path(file).suffix: file for file in artifact.files}.values():
            before = (graph.settings.data / name).read_bytes()
            assert DAMAGES[kind](name, before, random.Random(0)) != before, name


def test_what_ends_as_none_may_is_counted() -> None:
    attacks = [Attack("a", "flip", outcome) for outcome in Outcome]
    assert {attack.outcome for attack in wrong(attacks)} >= {Outcome.SILENT, Outcome.TRACEBACK, Outcome.UNREADABLE}
    assert Outcome.REFUSED not in {attack.outcome for attack in wrong(attacks)}
