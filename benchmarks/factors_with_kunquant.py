"""Alpha158 by KunQuant: run by bench_factors.py in an environment of its own.

Arguments: an .npz of open, high, low, close, volume [T, N], the number of threads, repetitions.
Prints one line of JSON: seconds of each repetition, and the version.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from KunQuant.Driver import KunCompilerConfig
from KunQuant.jit import cfake
from KunQuant.Op import Builder, Input, Output
from KunQuant.predefined.Alpha158 import AllData
from KunQuant.runner import KunRunner
from KunQuant.Stage import Function

FIELDS = ("open", "high", "low", "close", "volume", "amount")
LANES = 8 if "avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8") else 4


def compiled() -> KunRunner.Library:
    """The factors in double precision, for this processor."""
    with (builder := Builder()):
        data = AllData(**{name: Input(name) for name in FIELDS})
        prices = [("OPEN", data.open), ("HIGH", data.high), ("LOW", data.low), ("VWAP", data.vwap)]
        settings = {"kbar": {}, "price": {"windows": [0], "feature": prices}, "rolling": {}}
        for factor, name in zip(*data.build(settings), strict=True):
            Output(factor, name)
    options = {"opt_reduce": True, "fast_log": True, "no_fast_stat": "no_warn"}
    layout = {"input_layout": "TS", "output_layout": "TS"}
    config = KunCompilerConfig(dtype="double", blocking_len=LANES, partition_factor=4, options=options, **layout)
    return cfake.compileit([("alpha158", Function(builder.ops), config)], "alpha158", cfake.CppCompilerConfig())


def main() -> None:
    path, threads, repetitions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with np.load(path) as file:
        arrays = {name: file[name] for name in FIELDS[:-1]}
    arrays["amount"] = (arrays["high"] + arrays["low"] + arrays["close"]) / 3 * arrays["volume"]
    # It works on whole vectors of stocks.
    wanted = -(-arrays["close"].shape[1] // LANES) * LANES
    inputs = {
        name: np.ascontiguousarray(np.pad(x, ((0, 0), (0, wanted - x.shape[1])), mode="edge"))
        for name, x in arrays.items()
    }
    library = compiled()
    module = library.getModule("alpha158")
    names = list(module.getOutputNames())
    executor = KunRunner.createSingleThreadExecutor() if threads == 1 else KunRunner.createMultiThreadExecutor(threads)
    seconds = []
    for _ in range(repetitions + 1):
        started = time.perf_counter()
        result = np.empty((len(names), *inputs["close"].shape))
        outputs = {name: result[place] for place, name in enumerate(names)}
        KunRunner.runGraph(executor, module, inputs, 0, len(inputs["close"]), outputs)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds[1:], "version": version("KunQuant"), "factors": len(names)}))


if __name__ == "__main__":
    main()
