"""What a person sees of a run while it runs."""

import io
import os
import re
import select
import sys
import time
from collections.abc import Callable

import dagster as dg
import pytest
from rich.console import Console

from niftyformer_assets import defs
from niftyformer_assets.defs.run import _execute
from niftyformer_assets.defs.run_study import _Eta
from niftyformer_assets.defs.terminal import Terminal


def job_of(body: Callable[[dg.AssetExecutionContext], None], passed: bool = True) -> dg.JobDefinition:
    """A job with one asset, and a check of it."""

    @dg.asset
    def slow(context: dg.AssetExecutionContext) -> None:
        body(context)

    @dg.asset_check(asset=slow)
    def nothing_odd() -> dg.AssetCheckResult:
        found = "nothing is odd" if passed else "2 symbols are odd: ABB, ACC"
        return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, description=found)

    definitions = dg.Definitions([slow], jobs=[dg.define_asset_job("phase", [slow])], asset_checks=[nothing_odd])
    return definitions.resolve_job_def("phase")


def executed(terminal: Terminal, job: dg.JobDefinition) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _execute(terminal, instance, job, 1, {}, None)


def test_the_step_that_runs_is_shown_while_it_runs_with_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    screen = ""

    def wait_for(*shown: str) -> None:
        nonlocal screen
        deadline = time.monotonic() + 60
        while not all(text in screen for text in shown):
            assert time.monotonic() < deadline, screen
            if select.select([master], [], [], 0.1)[0]:
                screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(master, 65536).decode(errors="replace"))

    def body(context: dg.AssetExecutionContext) -> None:
        print("kept in Dagster's file")
        wait_for("phase: slow")
        context.log.info("epoch 1 of 2")
        wait_for("epoch 1 of 2")

    with os.fdopen(slave, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        executed(Terminal(), job_of(body))
        wait_for("✓ slow", "✓ nothing is odd")
    os.close(master)


def test_a_log_file_has_each_step_its_words_and_findings_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    def body(context: dg.AssetExecutionContext) -> None:
        context.log.info("epoch 1 of 2")
        context.log.warning("a file was left out")

    terminal = Terminal()
    for _ in range(2):
        executed(terminal, job_of(body, passed=False))
    lines = re.sub(r" \d+\.\d s", " s", capfd.readouterr().out).splitlines()
    first = ["… phase: slow", "  epoch 1 of 2", "a file was left out", "✓ slow s", "  ! 2 symbols are odd: ABB, ACC"]
    # A warning is said once, however often it comes.
    assert lines == first + [line for line in first if line != "a file was left out"]


def test_files_that_are_left_out_are_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    with Terminal().left_out_once():
        for _ in range(3):
            defs.log.warning("left out: %s", "x.yaml")
    captured = capfd.readouterr()
    assert captured.out == "left out: x.yaml\n" and captured.err == ""


@pytest.mark.parametrize("alone", [False, True])
def test_a_study_shows_a_bar_over_its_experiments_and_lines_where_nobody_sees_one(alone: bool) -> None:
    def told(seen: bool) -> str:
        written = io.StringIO()
        terminal = Terminal()
        terminal.console = Console(file=written, force_terminal=seen, width=100)
        with _Eta(terminal, 3, alone=alone) as eta:
            eta.done("wf.2021-01", "was finished")
            eta.done("wf.2021-05", "")
            if not alone:
                executed(terminal, job_of(lambda context: time.sleep(0.3)))
            eta.done("wf.2021-09", "failed: no factor", "red")
        assert terminal.bar is None
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())

    lines, drawn = told(False), told(True)
    assert "[2/3] wf.2021-05, about 0 s left" in lines and "━" not in lines
    assert not alone or lines.count("\n") == 3
    assert "[2/3] wf.2021-05" in drawn and "[2/3] wf.2021-05, about" not in drawn
    bar = r"study [━╸╺]+ *2/3 about 0 s left"
    assert re.search(bar if not alone else r"study [━╸╺]+ *3/3", drawn), drawn
