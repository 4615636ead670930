"""A terminal or a pipe that is not UTF-8 shows plainer characters; nothing ends because of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAYS = "from niftyformer_assets.plain_output import allow_any_encoding as a; a(); print('✓ ₹5 −3 × é … 価')"
COMMAND = "from niftyformer_assets.cli import app; app()"
TRAINING = "from niftyformer_assets.model.__main__ import main; main()"


def said(encoding: str, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", **more}
    return subprocess.run([sys.executable, "-c", *words], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "✓ ₹5 −3 × é … 価"),
        ("ascii", "ok Rs 5 -3 x e ... ?"),
        ("latin-1", "ok Rs 5 -3 × é ... ?"),
        ("cp1252", "ok Rs 5 -3 × é … ?"),
    ],
)
def test_what_an_encoding_lacks_is_shown_plainer(encoding: str, shown: str) -> None:
    result = said(encoding, SAYS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode(encoding).strip() == shown


def test_a_run_ends_well_whatever_the_encoding(tmp_path: Path) -> None:
    encoding = "ascii"
    lists = tmp_path / "list.csv"
    lists.write_text("Company Name,Industry,Symbol,Series,ISIN Code\nA Ltd.,Power,AAA,EQ,INE000A01010\n")
    (tmp_path / "candles").mkdir()
    (tmp_path / "candles" / "AAA.csv").write_text("Date,Open,High,Low,Close,Volume\n2022-01-03,1,2,1,1,5\n")
    places = {f"NIFTYFORMER_{name}": str(tmp_path / name.lower()) for name in ("DATA", "STORAGE")}
    replay = {"NIFTYFORMER_REPLAY": str(tmp_path / "candles"), "NIFTYFORMER_INDEX_LIST": str(lists)}
    result = said(encoding, COMMAND, "universe", **places, **replay)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ok universe" in result.stdout.decode(encoding)
    assert b"Error" not in result.stderr
    # Of what went wrong, too.
    failed = said(encoding, COMMAND, "run", "--experiment", "dëmø ✗", **places)
    assert failed.returncode == 1
    assert failed.stderr.startswith(b"error: there is no experiment")


def test_help_can_be_shown() -> None:
    for command in ([], ["exchange"]):
        result = said("ascii", COMMAND, *command, "--help")
        assert result.returncode == 0, result.stderr
    result = said("ascii", TRAINING, "--help")
    assert result.returncode == 0, result.stderr
