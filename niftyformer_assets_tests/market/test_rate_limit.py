from __future__ import annotations

import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from niftyformer_assets.market.rate_limit import Pacer, pacer_of

CALLER = """
import sys, time
from pathlib import Path
from niftyformer_assets.market.rate_limit import Pacer
pacer = Pacer(Path(sys.argv[1]), 20)
for _ in range(10):
    pacer.wait()
    print(time.monotonic(), flush=True)
"""


def test_threads_share_the_pace(tmp_path: Path) -> None:
    pacer, times = Pacer(tmp_path / "pace", 50), []

    def call() -> None:
        for _ in range(4):
            pacer.wait()
            times.append(time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    assert len(times) == 20
    # Spread, not sent at once: at least 0.7 of an even pace.
    assert times[-1] - times[0] >= 0.7 * 19 / 50


def test_any_second_holds_three(tmp_path: Path) -> None:
    pacer, times = Pacer(tmp_path / "pace", 3), []
    for number in range(8):
        pacer.wait()
        times.append(time.monotonic())
        time.sleep(0.1 * (number % 3))  # callers are late now and then
    assert all(late - early > 1.03 for early, late in zip(times, times[3:], strict=False))
    assert times[-1] - times[0] < 3.2


def test_processes_share_the_pace(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CALLER, str(tmp_path / "pace")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    times = sorted(float(line) for process in running for line in process.communicate()[0].split())
    assert len(times) == 30
    # What a server sees that admits 20 in any second: printing comes a moment after the turn.
    assert all(late - early > 0.95 for early, late in zip(times, times[20:], strict=False))


def test_it_wastes_little_of_the_limit(tmp_path: Path) -> None:
    pacer = Pacer(tmp_path / "pace", 50)
    pacer.wait()
    start = time.monotonic()
    for _ in range(50):
        pacer.wait()
    assert time.monotonic() - start < 1.6


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    pacer, stop = Pacer(tmp_path / "pace", 0.01), threading.Event()
    assert pacer.wait(stop)
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    assert not pacer.wait(stop)
    assert time.monotonic() - start < 5


def test_a_time_from_before_a_restart_is_ignored(tmp_path: Path) -> None:
    pacer = Pacer(tmp_path / "pace", 0.01)
    for content in (struct.pack("d", time.monotonic() + 1e6), b"bad"):
        (tmp_path / "pace").write_bytes(content)
        start = time.monotonic()
        assert pacer.wait()
        assert time.monotonic() - start < 5


def test_one_key_one_file() -> None:
    one, same, other = (pacer_of(key, "http://127.0.0.1:1", 3)._path for key in ("a", "a", "b"))
    assert one == same != other


def test_no_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pacer(tmp_path / "pace", 0)
