"""What the row of each artifact says is what making it really opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from niftyformer_assets.artifacts import Artifact, artifacts, deciding_settings, phases
from niftyformer_assets.code import body_file, modules_of
from niftyformer_assets.defs import artifact_asset, build
from niftyformer_assets.defs.artifact_asset import _record, _recorded
from niftyformer_assets.experiments.files import begin, find_experiment, find_study
from niftyformer_assets.model.baseline_registry import registered
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.settings import Settings
from niftyformer_assets.store.provenance import Provenance
from niftyformer_assets.store.workspace import ExperimentFolder, StudyFolder, Workspace
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, Graph, everything_made, failure_of, tiny_settings
from niftyformer_assets_tests.defs.listening import files_read, modules_called, nobody_listening

ROWS = artifacts()
# Experiments beside `tiny`, whose model is the Stockformer and has no network for a rival.
NET_OF_MARKET = "{name: net, of: [{horizon: 1, net_of: market}]}"
NET_OF_SECTOR = "{name: of_sector, of: [{horizon: 2, net_of: sector}]}"
OF_RIDGE = TINY_EXPERIMENT.replace("model: {", "model: {name: ridge, ")
OTHERS = {
    "of_ridge": OF_RIDGE,
    "of_lstm": OF_RIDGE.replace("ridge, width", "lstm, width").replace(
        "names: [", "epochs: 1\n  recurrent_width: 4\n  names: [stockformer, gru, "
    ),
    "of_blend": OF_RIDGE.replace("ridge, width", "blend, width")
    .replace(
        "names: [", "blend_of: [ridge.net, momentum.of_sector, lstm]\n  epochs: 1\n  recurrent_width: 4\n  names: ["
    )
    .replace("factors: {", "factors: {transform: sector_rank, ")
    .replace("graph: {", "graph: {source: factors, ")
    .replace("label: rank", f"label: rank, targets: [{NET_OF_MARKET}, {NET_OF_SECTOR}]"),
}
# Its strategy takes a factor of the panel out of the scores, and so does that of a study of it; it has two networks.
EXPOSED = TINY_EXPERIMENT.replace("top_k: 3", "top_k: 3, neutralise: [STD20, size]").replace(
    "max_epochs: 2", "max_epochs: 2, seeds: 2"
)
STUDY = "of_tiny"
MADE = [(name, STUDY if row.scope == "study" else "tiny") for name, row in ROWS.items() if row.scope != "symbol"] + [
    (name, experiment)
    for experiment in OTHERS
    for name in phases(ROWS)["experiment"]
    if name != "backtest_report"  # which asks nothing of the model but its predictions
]
MADE += [
    ("predictions", "exposed"),
    ("backtest_report", "exposed"),
    ("study_predictions", "of_exposed"),
    ("study_report", "of_exposed"),
    ("daily_signals", "exposed"),
    ("model_watch", "exposed"),
]


def places(row: Artifact, settings: Settings, of: str) -> Workspace | ExperimentFolder | StudyFolder:
    if row.scope == "study":
        return settings.workspace.study(of)
    return settings.workspace.experiment(of) if row.scope == "experiment" else settings.workspace


def owner(path: Path, settings: Settings, experiment: str) -> str | None:
    """The artifact that a file belongs to."""
    for row in ROWS.values():
        place = places(row, settings, experiment)
        for own in (*row.files(place), *row.readable(place)):
            if path == own or own in path.parents:
                return row.name
    return None


def _unheard(*given: object) -> dg.MaterializeResult:
    """What an asset's body returned is recorded: the files that its row names are opened for their fingerprints."""
    with nobody_listening():
        return _recorded(*given)  # type: ignore[arg-type]


def _record_unheard(*given: object) -> Provenance:
    with nobody_listening():
        return _record(*given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """Everything, and what other experiments need beside what is their own."""
    with everything_made(tmp_path_factory.mktemp("made"), exposed=EXPOSED, **OTHERS) as graph:
        graph.settings.studies.mkdir()
        (graph.settings.studies / f"{STUDY}.yaml").write_text("experiment: tiny\n")
        (graph.settings.studies / "of_exposed.yaml").write_text("experiment: exposed\n")
        for study in (STUDY, "of_exposed"):
            begin(graph.settings, find_study(graph.settings, study))
        graph = Graph(graph.settings, build(graph.settings), graph.instance)
        # Before its model all is taken over from `tiny`. A report takes longest, and no study reads one.
        made = [dg.AssetKey(name) for name in phases(ROWS)["experiment"] if name != "backtest_report"]
        for experiment in ("exposed", STUDY, "of_exposed"):
            result = graph.definitions.resolve_job_def("experiment").execute_in_process(
                instance=graph.instance, partition_key=experiment, asset_selection=made, raise_on_error=False
            )
            assert result.success, failure_of(result)
        yield graph


@pytest.fixture(scope="module")
def heard_of(made: Graph) -> tuple[dict[tuple[str, str], set[str]], dict[str, set[str]]]:
    """By artifact and experiment the others that are read while it is made once more; and what bodies called then, of
    `tiny` alone, for listening to each call takes long."""
    found, called = {}, dict[str, set[str]]()
    for name, experiment in MADE:
        job = next(phase for phase, names in phases(ROWS).items() if name in names)
        calls = modules_called() if experiment == "tiny" else nullcontext(dict[str, set[str]]())
        with files_read() as heard, calls as of_bodies, pytest.MonkeyPatch.context() as patch:
            patch.setattr(artifact_asset, "_recorded", _unheard)
            patch.setattr(artifact_asset, "_record", _record_unheard)
            # What another one has made would be taken over, and nothing be read.
            patch.setattr(artifact_asset, "take_over", lambda *_given: None)
            definitions = made.definitions
            if name == "order_proposal":  # it is made for whoever says what is held
                asked = made.settings.model_copy(update={"orders": OrderSettings(holdings="kite")})
                definitions = build(asked)
            if ROWS[name].of_one_in_use:
                definitions = build(made.settings.model_copy(update={"signal_experiment": experiment}))
            result = definitions.resolve_job_def(job).execute_in_process(
                instance=made.instance,
                partition_key=experiment if ROWS[name].scope in ("experiment", "study") else None,
                asset_selection=[dg.AssetKey(name)],
                raise_on_error=False,
            )
        assert result.success, failure_of(result)
        owners = {owner(path, made.settings, experiment) for path in heard if path.is_relative_to(made.settings.data)}
        found[name, experiment] = {each for each in owners if each is not None} - {name}
        for body, modules in of_bodies.items():
            called[body] = called.get(body, set()) | modules
    return found, called


@pytest.fixture(scope="module")
def read(
    heard_of: tuple[dict[tuple[str, str], set[str]], dict[str, set[str]]],
) -> dict[tuple[str, str], set[str]]:
    return heard_of[0]


@pytest.fixture(scope="module")
def called(heard_of: tuple[dict[tuple[str, str], set[str]], dict[str, set[str]]]) -> dict[str, set[str]]:
    return heard_of[1]


@pytest.mark.parametrize(("name", "of"), MADE)
def test_an_artifact_reads_what_its_row_says(
    name: str, of: str, read: dict[tuple[str, str], set[str]], made: Graph
) -> None:
    row = ROWS[name]
    experiments = {"experiment": lambda: [find_experiment(made.settings, of)]}
    experiments["study"] = lambda: [*find_study(made.settings, of).experiments.values()]
    asked = experiments.get("experiment" if row.of_one_in_use else row.scope, list)()
    assert read[name, of] == {each.artifact for each in row.read_for(*asked)}


@pytest.mark.parametrize("body", sorted({row.body for row in ROWS.values() if row.scope not in ("study", "symbol")}))
def test_what_a_body_calls_counts_as_the_code_of_its_artifacts(body: str, called: dict[str, set[str]]) -> None:
    """With models, which count where an experiment names them; each looks at the settings of its own."""
    files = [body_file(body)] + [file for row in ROWS.values() if row.body == body for file in row.modules]
    if body == "model/training":
        files += [file for model in registered().values() for file in model.code_files()]
    assert called[body] - set(modules_of(*files)) == set()


@pytest.mark.usefixtures("read")
def test_the_stockformer_alone_has_use_for_the_graph(made: Graph) -> None:
    """So that what is compared above is what is meant: the same artifact reads it for one and not for another."""
    of = {name: find_experiment(made.settings, name) for name in ("tiny", *OTHERS)}

    def reads_graph(artifact: str) -> set[str]:
        rows = {name: {read.artifact for read in ROWS[artifact].read_for(each)} for name, each in of.items()}
        return {name for name, read in rows.items() if "graph_embeddings" in read}

    assert reads_graph("trained_model") == reads_graph("predictions") == {"tiny"}
    assert reads_graph("baseline_predictions") == {"of_lstm"}
    rivals = pd.read_parquet(made.settings.workspace.experiment("of_lstm").baseline_predictions)
    assert {"stockformer", "gru", "ridge"} <= set(rivals["baseline"]) and "lstm" not in set(rivals["baseline"])


def test_each_comes_after_what_it_reads() -> None:
    seen: set[str] = set()
    for row in ROWS.values():
        assert {*row.may_follow} <= seen, row.name
        seen.add(row.name)


def test_a_setting_decides_on_what_it_should(tmp_path: Path) -> None:
    experiment = find_experiment(tiny_settings(tmp_path), "tiny")
    assert set(deciding_settings(experiment, "flow")) == {"sessions", "universe", "windows", "wavelet"}
    assert "strategy" not in deciding_settings(experiment, "trained_model")
    assert set(deciding_settings(experiment, "backtest_report")) == set(experiment.values())


def test_own_factors_have_a_row_that_the_selection_may_read(tmp_path: Path) -> None:
    rows = artifacts(("alpha158", "alpha158_own"))
    assert "alpha158_own_panel" in rows["ic_summary"].may_read
    experiment = find_experiment(tiny_settings(tmp_path), "tiny")
    assert "alpha158_own_panel" not in {read.artifact for read in rows["ic_summary"].read_for(experiment)}


def test_the_code_version_is_that_of_the_row(tmp_path: Path) -> None:
    graph = build(tiny_settings(tmp_path)).resolve_asset_graph()
    versions = {name: graph.get(dg.AssetKey(name)).code_version for name in ROWS}
    assert all(versions.values())
    assert versions["flow"] != versions["trained_model"] != versions["backtest_report"]
