"""The command line: bad input ends in one clear line and exit status 1, with nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from niftyformer_assets.cli import app
from niftyformer_assets.defs.run import _environment, _ranges
from niftyformer_assets.settings import read_settings
from niftyformer_assets.store.holding import held

HEADER = "Date,Open,High,Low,Close,Volume\n"
LIST = "Company Name,Industry,Symbol,Series,ISIN Code\nA Ltd.,Power,AAA,EQ,INE000A01010\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of its own, with a list and nothing to replay yet."""
    for name in ("KITE_API_KEY", "NIFTYFORMER_WORKSPACE", "NIFTYFORMER_REPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NIFTYFORMER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NIFTYFORMER_STORAGE", str(tmp_path / "storage"))
    (tmp_path / "list.csv").write_text(LIST)
    return tmp_path


def refused(*words: str) -> str:
    """The one line that a command ends with."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 1, result.output
    lines = result.output.strip().splitlines()
    assert lines[-1].startswith("error: "), result.output
    assert "Traceback" not in result.output
    return lines[-1]


def replayed(folder: Path) -> str:
    return refused(
        "run", "--experiment", "mvp", "--replay", str(folder / "candles"), "--index-list", str(folder / "list.csv")
    )


def test_a_missing_or_empty_replay_folder(folder: Path) -> None:
    assert "candles" in replayed(folder)
    (folder / "candles").mkdir()
    assert "candles" in replayed(folder)
    assert not (folder / "data").exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("Date,Open,High,Low,Volume\n2022-01-03,1,2,1,5\n", "Close"),
        (HEADER + "2022-01-03,1,2,1,dear,5\n", "dear"),
        (HEADER + "third of January,1,2,1,1,5\n", "third of January"),
        (HEADER + "2022-01-03,1,2,1,1,5\n2022-01-03,1,2,1,1,5\n", "2022-01-03"),
    ],
)
def test_a_wrong_csv_is_named_with_what_is_wrong(folder: Path, content: str, named: str) -> None:
    (folder / "candles").mkdir()
    (folder / "candles" / "AAA.csv").write_text(content)
    said = replayed(folder)
    assert "AAA.csv" in said
    assert named in said
    assert not (folder / "data").exists()


def test_candles_that_do_not_reach_the_experiment(folder: Path) -> None:
    (folder / "candles").mkdir()
    rows = "".join(f"2022-01-{day:02d},1,2,1,1,5\n" for day in range(3, 8))
    (folder / "candles" / "AAA.csv").write_text(HEADER + rows)
    assert "enough_usable_symbols failed: 1 of 1 symbols" in replayed(folder)
    (folder / "candles" / "BBB.csv").write_text(HEADER + rows)
    (folder / "list.csv").write_text(LIST + "B Ltd.,Power,BBB,EQ,INE000A01011\n")
    assert "the candles at hand cover 2022-01-03 to 2022-01-07" in replayed(folder)


def inspected(folder: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["inspect", str(folder / "candles"), *words])
    assert result.exit_code == 0, result.output
    assert not (folder / "data").exists()
    return " ".join(result.output.split())


def test_inspect_says_what_would_be_read(folder: Path) -> None:
    (folder / "candles").mkdir()
    rows = "".join(f"{day:02d}-01-2022,10,12,9,11,5\n" for day in range(3, 8)) + "13-01-2022,10,9,8,11,5\n"
    (folder / "candles" / "AAA.NS.csv").write_text(HEADER + rows)
    (folder / "candles" / "NIFTY 50.csv").write_text("Date,Close\n03-01-2022,17000\n")
    said = inspected(folder, "--index-list", str(folder / "list.csv"))
    assert "read as one file a symbol (1 file, CSV with commas); dates: DD-MM-YYYY (day first)" in said
    assert "1 of the 1 symbols of list.csv have candles" in said
    assert "candles 6 candles of 1 symbol, 6 each" in said
    assert "sessions 6, 2022-01-03 to 2022-01-13" in said
    assert "NIFTY 50 1 session, 2022-01-03 to 2022-01-03, in the folder" in said
    assert "high below open, low or close, 1 dropped or cut: AAA 2022-01-13" in said
    assert "none given (--index-list)" in inspected(folder)


def test_inspect_ends_as_a_run_would(folder: Path) -> None:
    (folder / "candles").mkdir()
    sundays = "".join(f"2022-01-{day:02d},1,2,1,{day},5\n" for day in (2, 9, 16, 23, 30))
    (folder / "candles" / "AAA.csv").write_text(HEADER + sundays + "2022-02-06,1,2,1,9,5\n")
    said = refused("inspect", str(folder / "candles"))
    assert "candles of AAA: 6 of its 6 dates are no sessions of NSE" in said
    assert said == replayed(folder)
    assert "is not a folder" in refused("inspect", str(folder / "absent"))


def test_a_run_refuses_a_folder_of_other_symbols_before_anything_is_fetched(folder: Path) -> None:
    (folder / "candles").mkdir()
    (folder / "candles" / "AAB.csv").write_text(HEADER + "2022-01-03,1,2,1,1,5\n")
    said = replayed(folder)
    assert "none of the 1 symbols of" in said
    assert "(AAA)" in said
    assert not (folder / "data").exists()


def test_a_run_says_how_the_folder_is_read(folder: Path) -> None:
    (folder / "candles").mkdir()
    (folder / "candles" / "AAA.csv").write_text("Date,Open,High,Low,Close,Adj Close,Volume\n2022-01-03,1,2,1,1,1,5\n")
    # Without a list the run ends after that.
    words = ["--experiment", "mvp", "--replay", str(folder / "candles")]
    result = CliRunner().invoke(app, ["run", *words])
    assert f"{folder / 'candles'} is read as Yahoo, one file a symbol" in result.output
    assert "Adj Close is there and not used" in result.output
    result = CliRunner().invoke(app, ["run", *words, "--adjusted-close"])
    assert "prices are multiplied by Adj Close / Close" in result.output


def test_a_replay_without_a_constituent_list(folder: Path) -> None:
    (folder / "candles").mkdir()
    (folder / "candles" / "AAA.csv").write_text(HEADER + "2022-01-03,1,2,1,1,5\n")
    said = refused("run", "--experiment", "mvp", "--replay", str(folder / "candles"))
    assert "--index-list" in said
    assert not (folder / "data").exists()


def test_an_unknown_experiment_names_those_there_are(folder: Path) -> None:
    said = refused("run", "--experiment", "dmeo")
    assert "'dmeo'" in said
    assert "demo" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--experiment", "demo.yaml"), "an experiment is named without its folder and .yaml: demo"),
        (("run", "--experiment", "data/experiments/demo.yaml"), "an experiment is named without its folder"),
        (("run", "--experiment", "demo_study"), "demo_study is a study, no experiment: niftyformer study demo_study"),
        (("study", "demo"), "demo is an experiment, no study: niftyformer run --experiment demo"),
        (("study", "studies/demo_study.yaml"), "a study is named without its folder and .yaml: demo_study"),
    ],
)
def test_a_name_that_is_of_something_else_says_how_it_is_meant(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(*arguments)


def test_the_demo_with_a_replay_is_told_to_be_without(folder: Path) -> None:
    said = refused("run", "--experiment", "demo", "--replay", str(folder))
    assert "choose the workspace with NIFTYFORMER_WORKSPACE=demo and without --replay, or one of " in said


def test_an_unknown_symbol_says_which_are_near(folder: Path) -> None:
    said = refused("candles", "DEMO05")
    assert "DEMO05 is no symbol of workspace demo" in said
    assert "do you mean DEMO" in said


def test_a_wrong_override_is_refused_before_anything_runs(folder: Path) -> None:
    said = refused("run", "--experiment", "demo", "--set", "training.max_epoch=2")
    assert "demo.yaml: with --set, training.max_epoch: unknown key, do you mean training.max_epochs?" in said
    assert "trainnig: unknown key, do you mean training?" in refused(
        "run", "--experiment", "demo", "--set", "trainnig.max_epochs=2"
    )
    said = refused("run", "--experiment", "demo", "--set", "max_epochs=2")
    assert "max_epochs: unknown key, do you mean training.max_epochs?" in said
    assert "not readable as YAML" in refused("run", "--experiment", "demo", "--set", "seed=[1")
    assert not (folder / "data").exists()


def test_a_second_run_of_an_experiment_says_who_has_it_and_ends(folder: Path) -> None:
    command = [sys.executable, "-c", "from niftyformer_assets.cli import app; app()", "run", "--experiment", "demo"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    holder, deadline = folder / "data" / "demo" / "locks" / "experiments" / "demo.holder", time.monotonic() + 60
    try:
        while not holder.is_file():
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        said = refused("run", "--experiment", "demo")
        assert f"experiment demo of workspace demo is in the hands of process {first.pid} since 20" in said
    finally:
        first.kill()
        first.communicate()
    # What a killed process held is free, though its word is still there.
    assert holder.is_file()
    with held(holder.with_suffix(".lock"), "experiment demo"):
        assert f"process {os.getpid()}" in holder.read_text()
    assert not holder.exists()


def test_a_data_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("in the way")
    monkeypatch.setenv("NIFTYFORMER_DATA", str(folder / "file" / "data"))
    assert "file/data" in refused("run", "--experiment", "demo")
    monkeypatch.setenv("NIFTYFORMER_STORAGE", str(folder / "file" / "storage"))
    assert "file/storage" in refused("run", "--experiment", "demo")


def test_dagsters_home_is_that_of_the_workspace_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIFTYFORMER_WORKSPACE", "tryout")
    result = CliRunner().invoke(app, ["home"])
    assert result.output == f"{folder / 'storage' / 'tryout'}\n"
    assert (folder / "storage" / "tryout" / "dagster.yaml").is_file()


def test_the_web_ui_of_a_replay_is_told_what_it_replays(folder: Path) -> None:
    plain = read_settings(_env_file=None, workspace_name="demo")
    assert _environment(plain) == ""
    replay = read_settings(
        _env_file=None, replay=folder / "my candles", index_list=[folder / "a.csv", folder / "b.csv"], kite_api_key="x"
    )
    assert _environment(replay) == (
        f"NIFTYFORMER_WORKSPACE=replay NIFTYFORMER_REPLAY='{folder}/my candles' "
        f"NIFTYFORMER_INDEX_LIST={folder}/a.csv:{folder}/b.csv "
    )


def test_symbols_that_follow_each_other_go_together() -> None:
    keys = list("ABCDEF")
    assert _ranges(keys, ["E", "A", "B"]) == [(0, 1), (4, 4)]
    assert _ranges(keys, keys) == [(0, 5)]


def test_an_interruption_is_one_line(folder: Path) -> None:
    command = [sys.executable, "-c", "from niftyformer_assets.cli import app; app()", "candles"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    raw, deadline = folder / "data" / "demo" / "raw", time.monotonic() + 300
    while not list(raw.glob("*.parquet")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=8)
    except subprocess.TimeoutExpired:
        # It came where Python ignores exceptions, as while it closes a connection: a person would press it again.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    # What the interruption meets on its way out may have a word before.
    assert said.splitlines()[-1].startswith("interrupted: ")


def test_help_is_shown_as_it_is_written_and_the_version_is_said() -> None:
    assert "renames=OLD:NEW:2026-01-31" in " ".join(CliRunner().invoke(app, ["exchange", "--help"]).output.split())
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0 and result.output.startswith("niftyformer 0.")


@pytest.mark.parametrize("name", ["study", "candles", "inspect", "exchange"])
def test_every_command_takes_the_same_lists_and_folders(name: str) -> None:
    commands: Any = typer.main.get_command(app)
    ours, of_run = (
        {option.name: (option.multiple, option.opts) for option in commands.commands[each].params}
        for each in (name, "run")
    )
    assert ours["index_list"] == (True, ["--index-list"])
    assert {option: ours[option] for option in ours.keys() & of_run.keys()}.items() <= of_run.items()


def test_candles_takes_a_folder_as_run_does(folder: Path) -> None:
    (folder / "candles").mkdir()
    said = refused("candles", "--replay", str(folder / "candles"), "--index-list", str(folder / "list.csv"))
    assert "candles" in said
    assert said == replayed(folder)
