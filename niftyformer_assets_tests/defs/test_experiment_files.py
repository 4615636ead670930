"""Files of experiments that appear, change or are wrong while the web UI runs."""

from __future__ import annotations

import threading
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin

from niftyformer_assets.defs import build
from niftyformer_assets.defs.automation.experiment_files import CHECK
from niftyformer_assets.defs.experiment_settings import EXPERIMENT_SETTINGS
from niftyformer_assets.settings import Settings
from niftyformer_assets_tests.conftest import tiny_settings


class CodeServer(GrpcServerCodeLocationOrigin):
    """Where the definitions are loaded; it notes that it is asked to load them anew."""

    asked: threading.Event

    def create_client(self) -> CodeServer:  # type: ignore[override]
        return self

    def reload_code(self, timeout: int) -> None:
        assert timeout > 0
        self.asked.set()


class Ui:
    """The sensor of a running web UI, evaluated again and again."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self._instance = settings, instance
        self._cursor: str | None = None
        self.load()

    def load(self) -> None:
        self._definitions = build(self.settings)

    def experiments(self) -> list[str]:
        keys = self._definitions.resolve_asset_graph().get(dg.AssetKey("flow")).partitions_def
        assert keys is not None
        return list(keys.get_partition_keys())

    def tick(self) -> tuple[str, bool]:
        """What the tick says, and whether it has the definitions loaded anew."""
        origin = CodeServer(host="localhost", port=1, location_name="niftyformer")
        object.__setattr__(origin, "asked", threading.Event())
        context = dg.SensorEvaluationContext(
            instance_ref=None,
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=self._cursor,
            repository_name=None,
            instance=self._instance,
            code_location_origin=origin,
        )
        data = self._definitions.resolve_sensor_def("experiment_files").evaluate_tick(context)
        self._cursor = data.cursor
        for event in data.asset_events:
            assert isinstance(event, dg.AssetCheckEvaluation)
            self._instance.report_runless_asset_event(event)
        said = data.skip_message or ""
        return said, origin.asked.wait(5) if "loaded anew" in said else origin.asked.is_set()

    def check(self) -> tuple[bool, str]:
        key = dg.AssetCheckKey(EXPERIMENT_SETTINGS, CHECK)
        (record,) = self._instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert record.event is not None and record.event.dagster_event is not None
        found = record.event.dagster_event.asset_check_evaluation_data
        return found.passed, found.description or ""


def test_files_are_followed_without_a_button(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    ui = Ui(tiny_settings(tmp_path), instance)
    folder, text = ui.settings.experiments, (ui.settings.experiments / "tiny.yaml").read_text()
    assert ui.tick() == ("every file is understood", False)
    assert ui.check() == (True, "every file is understood")

    (folder / "added.yaml").write_text(text)
    said, loaded_anew = ui.tick()
    assert loaded_anew
    # A server that does not load anew is asked once, not every half minute.
    assert ui.tick()[1] is False
    ui.load()
    assert ui.experiments() == ["added", "tiny"]
    assert ui.tick() == ("every file is understood", False)

    (folder / "added.yaml").write_text(text.replace("training:", "trainnig:"))
    said, loaded_anew = ui.tick()
    assert loaded_anew and "added.yaml: trainnig: unknown key" in said
    passed, description = ui.check()
    assert not passed and "added.yaml: trainnig: unknown key" in description
    ui.load()
    assert ui.experiments() == ["tiny"]
    assert ui.tick()[1] is False

    (folder / "added.yaml").write_text(text)
    assert ui.tick()[1]
    assert ui.check() == (True, "every file is understood")
    (folder / "added.yaml").unlink()
    ui.load()
    assert ui.experiments() == ["tiny"]


def test_an_edit_that_changes_no_key_loads_nothing_anew(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    ui = Ui(tiny_settings(tmp_path), instance)
    ui.tick()
    before = len(instance.fetch_observations(EXPERIMENT_SETTINGS, limit=1000).records)
    path = ui.settings.experiments / "tiny.yaml"
    path.write_text(path.read_text().replace("top_k: 3", "top_k: 4"))
    assert ui.tick() == ("every file is understood", False)
    # The report alone is made with it.
    assert len(instance.fetch_observations(EXPERIMENT_SETTINGS, limit=1000).records) == before + 1


def test_new_symbols_appear_by_themselves_too(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = tiny_settings(tmp_path, workspace_name="nifty200", kite_api_key="key")
    ui = Ui(settings, instance)
    ui.tick()
    folder = settings.data / "reference" / "index_lists"
    folder.mkdir(parents=True)
    (folder / "ind_nifty200list_2024-01-01.csv").write_text(
        "Company Name,Industry,Symbol,Series,ISIN Code\nSome Ltd.,Power,SOME,EQ,INE000A01010\n"
    )
    assert ui.tick()[1]
