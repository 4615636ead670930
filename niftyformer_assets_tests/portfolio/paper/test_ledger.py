"""A ledger is only added to: a row that was touched is named, a ledger rewritten is found, a kill damages none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from niftyformer_assets.portfolio.paper.account import account_of
from niftyformer_assets.portfolio.paper.ledger import Head, Ledger, _sealed, append_rows, must_hold, read_ledger
from niftyformer_assets.settings import PROJECT
from niftyformer_assets.store.errors import NiftyFormerError

SIGNAL = "a" * 64
A = {"book": 0, "symbol": "A"}


def row(kind: str, session: str, **more: object) -> dict[str, object]:
    return {"kind": kind, "session": session, "signal": SIGNAL, **more}


ROWS = [
    row("opening", "2023-01-02", books=[100_000], starts=[0]),
    row("trade", "2023-01-03", **A, side="buy", reason="enter", status="filled", shares=9, price=10_000, cost=50),
    row("valuation", "2023-01-03", cash=9_950, nav=103_550, holdings={"A": [9, 10_400]}, scored=True),
    row("correction", "2023-01-04", symbol="A", of="2023-01-03", was=10_400, now=10_410, shares=9),
    row("action", "2023-01-03", **A, reason="adjusted", shares=9, shares_after=13, cash=3_470, close=6_940),
    row("trade", "2023-01-04", **A, side="sell", reason="drop", status="filled", shares=13, price=7_000, cost=60),
    row("interest", "2023-01-04", book=0, cash=3),
    row("valuation", "2023-01-04", cash=104_363, nav=104_363, holdings={}, scored=True),
]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    empty = read_ledger(tmp_path / "paper_account.jsonl")
    return append_rows(append_rows(empty, ROWS[:3]), ROWS[3:])


def test_what_was_added_is_read_and_reckons(ledger: Ledger) -> None:
    again = read_ledger(ledger.path)
    assert again == ledger and [each["kind"] for each in again.rows] == [each["kind"] for each in ROWS]
    account = account_of(again)
    assert account.navs == {"2023-01-02": 100_000, "2023-01-03": 103_640, "2023-01-04": 104_363}
    assert (account.shares, account.cash, account.books[0].age) == ({}, 104_363, 2)
    assert append_rows(ledger, []) is ledger


def test_an_append_leaves_the_rows_before_as_they_are(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    append_rows(ledger, [row("interest", "2023-01-05", book=0, cash=1)])
    assert ledger.path.read_bytes().startswith(before)


@pytest.mark.parametrize("number", range(1, len(ROWS) + 1))
def test_the_first_row_that_was_touched_is_named(number: int, ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines(keepends=True)
    place = number - 1
    content = json.loads(lines[place])

    def refused(changed: list[str], at: int, said: str) -> None:
        ledger.path.write_text("".join(changed))
        with pytest.raises(
            NiftyFormerError, match=rf"paper_account.jsonl, row {at} .*{said}.*restore the file from a copy"
        ):
            read_ledger(ledger.path)

    for name in content.keys() - {"kind", "session", "seal"}:
        other = {**content, name: "else" if content[name] is None else [content[name]]}
        text = json.dumps(other, sort_keys=True, separators=(",", ":"))
        refused([*lines[:place], f"{text}\n", *lines[number:]], number, "does not fit its seal")
    if number < len(ROWS):
        refused([*lines[:place], *lines[number:]], number, "does not follow the row before it")
        refused([*lines[:place], lines[number], lines[place], *lines[number + 1 :]], number, "does not follow")
    refused([*lines[:number], lines[place], *lines[number:]], number + 1, "does not follow")
    refused([*lines[:place], lines[place][:-9] + "\n", *lines[number:]], number, "is no JSON")
    refused([*lines[:place], "\n", *lines[number:]], number, "is no JSON")
    refused([*lines[:place], lines[place].replace(":", ": ", 1), *lines[number:]], number, "is not written as it was")
    refused([*lines[:place], "[1]\n", *lines[number:]], number, "is no row of a ledger")


def test_one_that_is_cut_off_within_a_row_or_empty_is_refused(ledger: Ledger) -> None:
    content = ledger.path.read_bytes()
    for cut in (len(content) - 1, len(content) - 40):
        ledger.path.write_bytes(content[:cut])
        with pytest.raises(NiftyFormerError, match=f"row {len(ROWS)} "):
            read_ledger(ledger.path)
    ledger.path.write_bytes(b"")
    with pytest.raises(NiftyFormerError, match="is empty: restore the file"):
        read_ledger(ledger.path)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"kind": "trade"}),
        (1, {"kind": "opening"}),
        (1, {"shares": 11}),
        (2, {"nav": 103_551}),
        (2, {"session": "2023-01-02"}),
        (2, {"holdings": {"B": [9, 10_400]}}),
        (3, {"was": 10_401}),
        (3, {"shares": 8}),
        (4, {"shares": 8}),
        (5, {"shares": 14}),
        (5, {"book": 1}),
        (6, {"kind": "gift"}),
    ],
)
def test_a_chain_that_holds_with_a_row_that_does_not_follow_is_refused(
    place: int, change: dict[str, object], tmp_path: Path
) -> None:
    """Sealed anew from there on, so that the seals fit."""
    rows = [*ROWS[:place], {**ROWS[place], **change}, *ROWS[place + 1 :]]
    made = append_rows(read_ledger(tmp_path / "other.jsonl"), rows)
    with pytest.raises(NiftyFormerError, match=rf"row {place + 1} .* does not follow from the rows before it"):
        account_of(made)


def test_one_rewritten_as_a_whole_is_found_against_a_head(ledger: Ledger, tmp_path: Path) -> None:
    early, late = Head(3, ledger.rows[2]["seal"]), ledger.head
    must_hold(ledger, [(early, "the run of Monday"), (late, "the run of Tuesday")])
    rows = [*ROWS[:4], {**ROWS[4], "cash": 3_471}, *ROWS[5:7], {**ROWS[7], "cash": 104_364, "nav": 104_364}]
    other = append_rows(read_ledger(tmp_path / "other.jsonl"), rows)
    assert account_of(other).cash == 104_364
    must_hold(other, [(early, "the run of Monday")])
    with pytest.raises(NiftyFormerError, match=r"row 8 .*was with .* by the run of Tuesday: the ledger was rewritten"):
        must_hold(other, [(early, "the run of Monday"), (late, "the run of Tuesday")])
    cut = append_rows(read_ledger(tmp_path / "cut.jsonl"), ROWS[:6])
    with pytest.raises(NiftyFormerError, match="has 6 rows and had 8 by the run of Tuesday"):
        must_hold(cut, [(late, "the run of Tuesday")])
    with pytest.raises(NiftyFormerError, match=r"is not there.* wipe the materializations of paper_account"):
        must_hold(read_ledger(tmp_path / "absent.jsonl"), [(late, "the run of Tuesday")])


def test_two_runs_at_once_do_not_both_add(ledger: Ledger) -> None:
    append_rows(ledger, [row("interest", "2023-01-05", book=0, cash=1)])
    with pytest.raises(NiftyFormerError, match="was written by another run meanwhile"):
        append_rows(ledger, [row("interest", "2023-01-05", book=0, cash=1)])
    assert len(read_ledger(ledger.path).rows) == len(ROWS) + 1


@pytest.mark.skipif(os.name != "posix", reason="it kills a process by a signal")
def test_a_kill_leaves_the_old_ledger_or_the_new(tmp_path: Path) -> None:
    """A process that adds without a pause is killed at moments drawn; each time the ledger reads, and goes on."""
    path = tmp_path / "paper_account.jsonl"
    append_rows(read_ledger(path), ROWS)
    code = (
        "import sys; from pathlib import Path\n"
        "from niftyformer_assets.portfolio.paper.ledger import append_rows, read_ledger\n"
        "ledger = read_ledger(Path(sys.argv[1])); print('on', flush=True)\n"
        "while True:\n"
        "    row = dict(kind='interest', session='2023-01-05', signal=None, book=0, cash=1)\n"
        "    ledger = append_rows(ledger, [row] * 50)\n"
    )
    last = len(ROWS)
    for wait in (0.0, 0.003, 0.011, 0.023):
        adding = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=PROJECT, stdout=subprocess.PIPE)
        assert adding.stdout is not None and adding.stdout.readline() == b"on\n"
        size, latest = path.stat().st_size, time.monotonic() + 60
        while path.stat().st_size == size and time.monotonic() < latest:
            time.sleep(0.001)
        time.sleep(wait)
        adding.send_signal(signal.SIGKILL)
        adding.wait()
        adding.stdout.close()
        now = len(read_ledger(path).rows)
        assert now > last and (now - len(ROWS)) % 50 == 0
        last = now
    assert account_of(read_ledger(path)).cash == 104_363 + (last - len(ROWS))


def test_a_seal_hangs_on_everything_in_the_row() -> None:
    seals = {
        _sealed(each, 1, "0" * 64)["seal"] for each in (ROWS[0], {**ROWS[0], "signal": None}, {**ROWS[0], "books": [1]})
    }
    assert len(seals | {_sealed(ROWS[0], 2, "0" * 64)["seal"], _sealed(ROWS[0], 1, "1" * 64)["seal"]}) == 5
