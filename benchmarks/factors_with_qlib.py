"""Alpha158 by Qlib: run by bench_factors.py in an environment of its own.

Arguments: an .npz of open, high, low, close, volume [T, N] and dates, the number of processes,
repetitions, and where to save the values [158, T, N], if at all. Prints one line of JSON: seconds
of each repetition, and the version.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

FIELDS = ("open", "high", "low", "close", "volume")


def write_provider(folder: Path, file: dict[str, np.ndarray]) -> None:
    """Candles in Qlib's own format: per stock and field the place of its first session, then its values."""
    dates = file["dates"].astype(str)
    (folder / "calendars").mkdir()
    (folder / "calendars" / "day.txt").write_text("\n".join(dates) + "\n", encoding="utf-8")
    (folder / "instruments").mkdir()
    lines = []
    vwap = (file["high"] + file["low"] + file["close"]) / 3
    for column in range(file["close"].shape[1]):
        name = f"S{column:04d}"
        present = np.flatnonzero(np.isfinite(file["close"][:, column]))
        first, last = present[0], present[-1]
        lines.append(f"{name}\t{dates[first]}\t{dates[last]}")
        place = folder / "features" / name.lower()
        place.mkdir(parents=True)
        for field, values in (*((field, file[field]) for field in FIELDS), ("vwap", vwap)):
            content = np.concatenate([[first], values[first : last + 1, column]]).astype("<f4")
            content.tofile(place / f"{field}.day.bin")
    (folder / "instruments" / "all.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    path, processes, repetitions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    import qlib
    from qlib.contrib.data.loader import Alpha158DL
    from qlib.data import D
    from qlib.data.cache import H

    with np.load(path) as loaded, tempfile.TemporaryDirectory() as folder:
        file = {name: loaded[name] for name in loaded.files}
        write_provider(Path(folder), file)
        qlib.init(provider_uri=folder, kernels=processes, logging_level=40)
        fields, names = Alpha158DL.get_feature_config()
        seconds = []
        for _ in range(repetitions):
            H.clear()
            started = time.perf_counter()
            frame = D.features(D.instruments("all"), fields, freq="day")
            seconds.append(time.perf_counter() - started)
    rows = int(np.isfinite(file["close"]).sum())
    if len(frame) < rows:
        raise SystemExit(f"Qlib gave {len(frame)} rows for {rows} candles")
    if len(sys.argv) > 4:
        values = np.full((len(names), *file["close"].shape), np.nan, dtype=np.float32)
        sessions = np.searchsorted(file["dates"], frame.index.get_level_values("datetime").to_numpy())
        stocks = frame.index.get_level_values("instrument").str[1:].astype(int)
        values[:, sessions, stocks] = frame.to_numpy().T
        np.save(sys.argv[4], values)
    print(json.dumps({"seconds": seconds, "version": version("pyqlib"), "factors": len(names)}))


if __name__ == "__main__":
    main()
