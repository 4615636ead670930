"""Training speed and memory: the published algorithm beside ours, in one run on one machine.

    python benchmarks/bench_model.py            # on a CPU each row in a process of its own
    python benchmarks/bench_model.py --stocks 50 --steps 2

The published algorithm is written out in `model_as_published.py` (four maps an attention, expanded
copy, materialised windows, float32); that every row computes the same is checked before anything is
timed. On a GPU follow 100 epochs run plainly, captured and compiled, each from the start of its
process, and 14 windows of 5 seeds by extrapolation. A row that fails or takes too long says so, and
the others go on; after five minutes on a GPU the rest is not run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from model_as_published import VARIANTS, build_plain, gradients_of_ours, gradients_of_plain, plain_step

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets.model.baseline_inputs import BaselineInputs
from niftyformer_assets.model.baselines.stockformer import MultitaskStockformer
from niftyformer_assets.model.build import build_model
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.device import MIB, Device, choose_device
from niftyformer_assets.model.step import Steps, TrainingStep
from niftyformer_assets.model.training import train
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.model.watch import Observer
from niftyformer_assets.store.arrays import Axes

EPOCHS, WINDOWS, SEEDS = 100, 14, 5
# Seconds after which a row of the table, or a training, is given up, and after which a GPU is given back.
ROW_LIMIT, TRAINING_LIMIT, GPU_LIMIT = 90.0, 120.0, 295.0
# How the trainings are run on a GPU: the way, how many windows, seconds after which it is extrapolated.
TRAININGS = (("captured", 2, 90.0), ("plain", 1, 15.0), ("compiled", 1, 60.0))
WIDTH, LAYERS, T1, T2 = 128, 2, 20, 2


def make_dataset(arguments: argparse.Namespace, training: TrainingSettings, shift: int = 0) -> Dataset:
    """Noise of the published size: T1 = 20, T2 = 2, 75 : 12.5 : 12.5. A shift is another window in time."""
    sessions, stocks, factors = arguments.sessions - 3 * shift, arguments.stocks - shift, arguments.factors
    rng = np.random.default_rng(shift)
    edges = [0, int(sessions * 0.75), int(sessions * 0.875), sessions]
    low = np.tril(np.ones((T1, T1))) / np.arange(1, T1 + 1)[:, None]  # any fixed matrix costs the same
    returns = rng.normal(0, 0.02, (sessions, stocks))
    inputs = BaselineInputs(
        axes=Axes(
            np.busday_offset("2022-01-03", np.arange(sessions), roll="forward"), tuple(f"S{i}" for i in range(stocks))
        ),
        split=Split(*(slice(a, b) for a, b in zip(edges, edges[1:], strict=False)), slice(sessions, sessions)),
        windows=WindowSettings(),
        factors=rng.normal(size=(sessions, stocks, factors)).astype(np.float32),
        factors_valid=np.ones((sessions, stocks, factors), dtype=bool),
        returns=returns,
        returns_valid=np.ones((sessions, stocks), dtype=bool),
        factor_names=tuple(f"F{i}" for i in range(factors)),
    )
    return Dataset(
        settings=RunSettings("bench", 42, inputs.windows, MultitaskStockformer(training=training)),
        inputs=inputs,
        axes=inputs.axes,
        split=inputs.split,
        factor_names=inputs.factor_names,
        returns=returns.astype(np.float32),
        valid=inputs.returns_valid,
        factors=inputs.factors,
        graph=rng.normal(size=(stocks, WIDTH)).astype(np.float32),
        low_matrix=low.astype(np.float32),
        low_matrix_output=np.array([[0.284, 0.375], [0.375, 0.717]], dtype=np.float32),
        to_come=np.array([], dtype="datetime64[D]"),
    )


def rows_of_table(device: Device) -> list[str]:
    """The rows that mean something on a device; the last but `compiled` is what trains there by itself."""
    if device.kind == "cuda":
        return list(VARIANTS)
    on_cpu = [name for name, variant in VARIANTS.items() if variant.way in (None, "plain")]
    return on_cpu if choose_device("cpu").precision == "bfloat16" else on_cpu[:-1]


def measure_row(name: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds a step on the wall and of the processor, the time to make it ready, and the most memory."""
    variant = VARIANTS[name]
    device = replace(choose_device(arguments.device), precision=variant.precision)
    dataset = make_dataset(arguments, TrainingSettings())
    torch.use_deterministic_algorithms(variant.way is not None)
    torch.utils.deterministic.fill_uninitialized_memory = False
    if device.kind == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)
    order = made_on[torch.randperm(len(made_on))][: arguments.batch * (arguments.steps + 2)]
    began = time.perf_counter()
    if variant.way is None:
        network, data, optimizer = build_plain(variant, dataset, device)
        batches = iter(order.to(device.torch_device).split(arguments.batch))
        one: Callable[[], object] = lambda: plain_step(network, data, optimizer, next(batches))  # noqa: E731
    else:
        step = TrainingStep(dataset, device, variant.way)
        if step.way != variant.way:
            raise RuntimeError(step.notes[0])
        step.begin(dataset, build_model(dataset).state_dict())
        steps: Iterator[int] = step.epoch(order)
        one = lambda: next(steps)  # noqa: E731
    ready = time.perf_counter() - began
    if device.kind == "cpu":
        times = [timed(one) for _ in range(arguments.steps + 2)][2:]
        wall, processor = median(wall for wall, _ in times), median(processor for _, processor in times)
    else:  # all in one go: a look at each would wait for the host
        for _ in range(2):
            one()
        torch.cuda.synchronize()
        wall, processor = (seconds / arguments.steps for seconds in timed(lambda: many(one, arguments.steps)))
    return {"step": wall, "processor": processor, "ready": ready, "mib": device.peak_mib()}


def many(one: Callable[[], object], count: int) -> None:
    """Call it so often, and wait for a GPU."""
    for _ in range(count):
        one()
    torch.cuda.synchronize()


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and of the processor."""
    began, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - began, time.process_time() - processor


def work_of_a_step(arguments: argparse.Namespace, maps: int) -> tuple[float, float]:
    """Floating point operations of the products in a step, and the least bytes its states move in bfloat16.

    Counted from the sizes; for the gradient twice the operations. Moved are what each product, norm and
    attention must read and write of [B, T1, N, D] if nothing is fused: 2 states a product and 4 for its
    gradient, 3 and 3 a norm, 3 and 6 an attention.

    Args:
        maps: that an attention has, 4 as published or 2.
    """
    batch, stocks, channels = arguments.batch, arguments.stocks, arguments.factors + 2
    rows, square = batch * T1 * stocks, 2 * WIDTH * WIDTH
    products = 3 * (maps + 2) + 2  # a layer: three attentions with their MLPs, and the convolution's two taps
    forward = rows * (LAYERS * products * square + 2 * (2 * channels * WIDTH + square))
    forward += LAYERS * 2 * 2 * batch * T1 * stocks * stocks * WIDTH * 2  # scores and averages over stocks
    forward += LAYERS * 2 * batch * stocks * T1 * T1 * WIDTH * 2  # and over sessions
    forward += batch * T2 * stocks * (6 + 2 * 2) * square + 2 * 2 * rows * T2 * WIDTH  # fusion, heads, over time
    states = LAYERS * (products * 6 + 4 * 6 + 3 * 9) + 2 * 2 * 6
    return 3.0 * forward, 2.0 * states * rows * WIDTH


def check_same_result(arguments: argparse.Namespace) -> None:
    """The rows are one algorithm: same weights and windows, same loss and gradients (dropout off)."""
    small = argparse.Namespace(**{**vars(arguments), "sessions": 80, "stocks": 9})
    dataset, device = make_dataset(small, TrainingSettings()), choose_device("cpu", "float32")
    made_on = torch.tensor([30, 31, 40])
    seen = [
        gradients_of_plain(variant, dataset, device, made_on) for variant in VARIANTS.values() if variant.way is None
    ]
    seen.append(gradients_of_ours(dataset, device, made_on))
    for other in seen[1:]:
        for name, expected in seen[0].items():
            torch.testing.assert_close(other[name], expected, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


class TimeIsUp(Exception):  # noqa: N818
    """A training took as long as it was given."""


class Until(Observer):
    """Ends a training some seconds after the process began, at the end of an epoch."""

    def __init__(self, seconds: float, began: float) -> None:
        self.end, self.epochs = began + seconds, 0

    def epoch(self, metrics: Any) -> None:
        self.epochs += 1
        if time.time() > self.end:
            raise TimeIsUp


def full_training(way: str, windows: int, limit: float, arguments: argparse.Namespace) -> None:
    """Train a window after the other, 100 epochs each with evaluation and checkpoints; a JSON line for each."""
    device, steps = choose_device(arguments.device), Steps()
    # `began` is when the process was asked for; the first window's time has all of its start in it.
    since = arguments.began
    for window in range(windows):
        settings = TrainingSettings(max_epochs=EPOCHS, patience=EPOCHS, batch_size=arguments.batch, step=way)  # type: ignore[arg-type]
        dataset, until = make_dataset(arguments, settings, window), Until(limit, arguments.began)
        entered = time.time()
        with tempfile.TemporaryDirectory() as folder:
            try:
                trained = train(dataset, Path(folder), device, [until], steps=steps)
                notes, mib = trained.notes, trained.speed["memory_mib"].max()
            except TimeIsUp:
                notes, mib = tuple(steps.of(dataset, device).notes), float(device.peak_mib())
        line = {
            "epochs": until.epochs,
            "from_start": time.time() - since,
            "in_training": time.time() - entered,
            "notes": notes,
            "mib": mib,
        }
        print(json.dumps(line), flush=True)
        since = time.time()


def limits_of_chip() -> dict[str, float]:
    """What one large product and one large copy reach: operations and bytes a second."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    one, other = torch.empty(2, 1 << 30, device="cuda", dtype=torch.uint8)
    found = {}
    for name, call, amount in (
        ("operations", lambda: torch.mm(a, a), 2 * 8192**3),
        ("bytes", lambda: other.copy_(one), 2 << 30),
    ):
        many(call, 3)
        seconds, _ = timed(lambda call=call: many(call, 20))
        found[name] = 20 * amount / seconds
    return found


def lines_of(command: list[str], limit: float, end: float) -> Iterator[dict[str, Any] | str]:
    """JSON lines that a process prints; a text that says why, where it fails or a line takes longer than the limit.

    Args:
        end: when all of this process must be over, as `time.monotonic` counts.
    """
    if end - time.monotonic() < 10:
        yield "not run: the time is up"
        return
    process = subprocess.Popen(
        [sys.executable, __file__, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    errors: list[str] = []
    threading.Thread(target=read, daemon=True).start()
    threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True).start()
    try:
        while (line := lines.get(timeout=max(0, min(limit, end - time.monotonic())))) is not None:
            yield json.loads(line)
        if process.wait():
            said = [error.strip() for error in errors if error.strip()]
            yield f"failed: {said[-1][:150] if said else 'killed, out of memory?'}"
    except queue.Empty:
        yield "given up: the time is up" if time.monotonic() >= end else f"given up after {limit:.0f} s"
    finally:
        process.kill()
        process.wait()


def table(arguments: argparse.Namespace, given: list[str], device: Device, end: float) -> None:
    """A row a variant, printed as it comes."""
    names = rows_of_table(device)
    chip: dict[str, float] = {}
    if device.kind == "cuda":
        for line in lines_of([*given, "--limits"], ROW_LIMIT, end):
            if isinstance(line, str):
                print(f"the chip's limits: {line}")
            else:
                chip = line
                print(f"one large product reaches {chip['operations'] / 1e12:.0f} TFLOP/s in bfloat16,", end=" ")
                print(f"one large copy {chip['bytes'] / 1e12:.2f} TB/s, read and written\n")
    more = (
        f"{'ready s':>9}{'of peak':>9}{'of copy':>9}" if device.kind == "cuda" else f"{'processor s':>13}{'times':>7}"
    )
    print(f"{'':46}{'ms a step':>10}{'times':>7}{more}{'MiB':>8}")
    found: dict[str, dict[str, float]] = {}
    todo = list(names)
    while todo:
        # On a CPU a process each, for its memory; on a GPU one for all, as long as nothing fails in it.
        now = todo[:1] if device.kind == "cpu" else todo
        for line in lines_of([*given, "--rows", *now], ROW_LIMIT, end):
            name = todo.pop(0)
            if isinstance(line, str):
                print(f"{name:46} {line}")
                break
            found[name] = line
            first = found.get(names[0], {})
            print(f"{name:46}{line['step'] * 1e3:10.2f}{first.get('step', np.nan) / line['step']:7.2f}", end="")
            if device.kind == "cuda":
                work, moved = work_of_a_step(arguments, VARIANTS[name].maps)
                shares = (
                    work / line["step"] / chip.get("operations", np.nan),
                    moved / line["step"] / chip.get("bytes", np.nan),
                )
                print(f"{line['ready']:9.1f}{shares[0]:9.1%}{shares[1]:9.1%}", end="")
            else:
                print(f"{line['processor']:13.3f}{first.get('processor', np.nan) / line['processor']:7.2f}", end="")
            print(f"{line['mib']:8.0f}", flush=True)
    if device.kind == "cpu" and names[0] in found and names[-1] in found:
        published, ours = found[names[0]], found[names[-1]]
        print(f"\nwhat trains here is {published['step'] / ours['step']:.1f} times as fast a step as the published")
        print(f"algorithm (target 5), {ours['mib'] * MIB / 1e9:.2f} GB at most (target 2.2)")


def trainings(given: list[str], end: float) -> None:
    """100 epochs in each way, from the start of the process, and what a walk-forward would take."""
    print(f"\n{EPOCHS} epochs with evaluation and checkpoints, seconds from the start of the process")
    for way, windows, limit in TRAININGS:
        command = [*given, "--training", way, str(windows), str(limit), "--began", str(time.time())]
        for number, line in enumerate(lines_of(command, TRAINING_LIMIT, end)):
            if isinstance(line, str):
                print(f"{way:22} {line}")
                break
            share = line["epochs"] / EPOCHS
            how = "" if share == 1 else f" for {line['epochs']} epochs, {line['in_training'] / share:.0f} s for all"
            if number == 0:
                print(f"{way:22}{line['from_start']:8.1f} s{how}, {line['mib']:.0f} MiB at most", *line["notes"])
            else:
                print(f"{'  the next window':22}{line['from_start']:8.1f} s{how}, with the same step")
                minutes = WINDOWS * SEEDS * line["from_start"] / share / 60
                print(f"{'':22}so {WINDOWS} windows of {SEEDS} seeds take {minutes:.1f} minutes")
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("stocks", 185), ("factors", 22), ("batch", 12), ("sessions", 660), ("steps", None)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--only", choices=("table", "trainings"), help="leave the other out")
    parser.add_argument("--rows", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--training", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--limits", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    arguments, began = parser.parse_args(), time.monotonic()
    device = choose_device(arguments.device)
    arguments.steps = arguments.steps or (30 if device.kind == "cuda" else 5)
    if arguments.rows:
        for name in arguments.rows:
            print(json.dumps(measure_row(name, arguments)), flush=True)
    elif arguments.training:
        way, windows, limit = arguments.training
        full_training(way, int(windows), float(limit), arguments)
    elif arguments.limits:
        print(json.dumps(limits_of_chip()))
    else:
        print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {os.cpu_count()} processors")
        print(
            f"N={arguments.stocks}, F={arguments.factors}, batch {arguments.batch}, D={WIDTH}, {LAYERS} layers;",
            end=" ",
        )
        print(f"one training step, of {arguments.steps}\n")
        end = began + GPU_LIMIT if device.kind == "cuda" else math.inf
        if arguments.only != "trainings":
            check_same_result(arguments)
            table(arguments, sys.argv[1:], device, end)
        if device.kind == "cuda" and arguments.only != "table":
            trainings(sys.argv[1:], end)


if __name__ == "__main__":
    main()
