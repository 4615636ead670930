"""Training speed and memory: the published algorithm beside ours, in one run on one machine.

    python benchmarks/bench_model.py            # each variant in a process of its own
    python benchmarks/bench_model.py --stocks 50 --steps 2

The published algorithm is written out here (expanded copy, materialised windows, float32); that it
computes the same is checked before it is timed. On a GPU a full training of 100 epochs follows,
with the share of the chip's bfloat16 peak and memory bandwidth.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from niftyformer_assets.dataset.settings import WaveletSettings, WindowSettings
from niftyformer_assets.market.split import Split
from niftyformer_assets.model import blocks
from niftyformer_assets.model.attention import SpatialAttention, merge_heads, residual_norm, split_heads
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.device import MIB, Device, choose_device
from niftyformer_assets.model.loss import Targets
from niftyformer_assets.model.settings import ModelSettings, TrainingSettings
from niftyformer_assets.model.stockformer import Inputs, Stockformer
from niftyformer_assets.model.training import build_model, build_optimizer, train, training_step
from niftyformer_assets.store.arrays import Axes

# Dense bfloat16 operations and bytes a second, from NVIDIA's data sheets.
PEAKS = {"H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12), "A100": (312e12, 2.04e12)}


def make_dataset(arguments: argparse.Namespace, training: TrainingSettings) -> Dataset:
    """Noise of the plan's size: T1 = 20, T2 = 2, 75 : 12.5 : 12.5."""
    sessions, stocks, factors = arguments.sessions, arguments.stocks, arguments.factors
    rng = np.random.default_rng(0)
    edges = [0, int(sessions * 0.75), int(sessions * 0.875), sessions]
    low = np.tril(np.ones((20, 20))) / np.arange(1, 21)[:, None]  # any fixed matrix costs the same
    return Dataset(
        settings=RunSettings("bench", 42, WindowSettings(), WaveletSettings(), ModelSettings(), training),
        axes=Axes(
            np.busday_offset("2022-01-03", np.arange(sessions), roll="forward"), tuple(f"S{i}" for i in range(stocks))
        ),
        split=Split(*(slice(a, b) for a, b in zip(edges, edges[1:], strict=False)), slice(sessions, sessions)),
        factor_names=tuple(f"F{i}" for i in range(factors)),
        returns=rng.normal(0, 0.02, (sessions, stocks)).astype(np.float32),
        valid=np.ones((sessions, stocks), dtype=bool),
        factors=rng.normal(size=(sessions, stocks, factors)).astype(np.float32),
        graph=rng.normal(size=(stocks, 128)).astype(np.float32),
        low_matrix=low.astype(np.float32),
        low_matrix_output=np.array([[0.284, 0.375], [0.375, 0.717]], dtype=np.float32),
        to_come=np.array([], dtype="datetime64[D]"),
    )


class PlainAttention(SpatialAttention):
    """The attention over stocks step by step; `expanded` copies rows as the published code does."""

    expanded = False

    def forward(self, x: Tensor, graph: Tensor, mask: Tensor) -> Tensor:
        x = x + graph
        q, k, v = (split_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        weights = (torch.matmul(q, k.transpose(-1, -2)) / q.shape[-1] ** 0.5 + mask).softmax(-1)
        attended = torch.matmul(weights, v)
        most = weights.argmax(-2)
        if self.expanded:
            stocks, width = attended.shape[-2:]
            every = attended.unsqueeze(-3).expand(*attended.shape[:-2], stocks, stocks, width)
            index = most[..., None, None].expand(*most.shape, 1, width)
            taken = torch.gather(every, -2, index).squeeze(-2)
        else:
            taken = torch.gather(attended, -2, most.unsqueeze(-1).expand_as(attended))
        return self.mlp(residual_norm(x, self.out(merge_heads(taken))))


class ExpandedAttention(PlainAttention):
    expanded = True


class MaterialisedWindows(DeviceData):
    """Every window of every array, as the published loader keeps them; batches are rows of these."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        data = DeviceData(dataset, device)
        first, last = dataset.all_samples.start, len(dataset.axes.dates) - 2
        self.first = first
        made_on = torch.arange(first, last, device=device)
        self.all_inputs = Inputs(
            *(torch.cat(parts) for parts in zip(*map(data.inputs, made_on.split(16)), strict=True))
        )
        self.all_targets = data.targets(made_on)

    def inputs(self, made_on: Tensor) -> Inputs:
        return Inputs(*(array[made_on - self.first] for array in self.all_inputs))

    def targets(self, made_on: Tensor) -> Targets:
        return Targets(*(array[made_on - self.first] for array in self.all_targets))


class Variant(NamedTuple):
    """What a row of the table computes with."""

    attention: type[SpatialAttention] = SpatialAttention
    materialised: bool = False
    precision: str = "float32"
    plain_dropout: bool = False
    compiled: bool = False


VARIANTS = {
    "published algorithm": Variant(ExpandedAttention, materialised=True, plain_dropout=True),
    "+ rows gathered, not expanded": Variant(PlainAttention, materialised=True, plain_dropout=True),
    "+ windows gathered on demand": Variant(PlainAttention, plain_dropout=True),
    "+ masked scores in one product": Variant(plain_dropout=True),
    "+ dropout from fewer draws": Variant(),
    "+ bfloat16 products (ours)": Variant(precision="bfloat16"),
    "+ torch.compile": Variant(precision="bfloat16", compiled=True),
}
OUR_DROPOUT = blocks.dropout
PUBLISHED, OURS, COMPILED = "published algorithm", "+ bfloat16 products (ours)", "+ torch.compile"


def measure_variant(name: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds a step on the wall and of the processor (medians, after two to warm up), look-up, peak memory."""
    variant = VARIANTS[name]
    device = replace(choose_device(arguments.device), precision=variant.precision)  # type: ignore[arg-type]
    dataset = make_dataset(arguments, TrainingSettings())
    torch.use_deterministic_algorithms(variant.attention is SpatialAttention)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    network, data = build_variant(variant, dataset, device)
    optimizer = build_optimizer(network, dataset.settings.training)
    if variant.compiled:
        network.compile(mode="reduce-overhead" if device.kind == "cuda" else "default")
    made_on = torch.from_numpy(dataset.samples()["train"].made_on)
    order = made_on[torch.randperm(len(made_on))].to(device.torch_device)
    batches = order.split(arguments.batch)[: arguments.steps + 2]
    steps = [timed(lambda b=b: training_step(network, optimizer, data, b, device, 0.5), device) for b in batches]
    lookups = [timed(lambda b=b: (data.inputs(b), data.targets(b)), device) for b in batches]
    return {
        "step": median(wall for wall, _ in steps[2:]),
        "processor": median(processor for _, processor in steps[2:]),
        "lookup": median(wall for wall, _ in lookups[2:]),
        "mib": device.peak_mib(),
    }


def build_variant(variant: Variant, dataset: Dataset, device: Device) -> tuple[Stockformer, DeviceData]:
    """The network in training and its data, as the variant has them."""
    torch.manual_seed(0)
    network = build_model(dataset)
    for module in network.modules():
        if isinstance(module, SpatialAttention):
            module.__class__ = variant.attention
    blocks.dropout = nn.functional.dropout if variant.plain_dropout else OUR_DROPOUT
    data = (MaterialisedWindows if variant.materialised else DeviceData)(dataset, device.torch_device)
    return network.to(device.torch_device).train(), data


def timed(call: Callable[[], object], device: Device) -> tuple[float, float]:
    """Seconds on the wall and of the processor, with nothing left running on a GPU."""
    wait = torch.cuda.synchronize if device.kind == "cuda" else lambda: None
    wait()
    began, processor = time.perf_counter(), time.process_time()
    call()
    wait()
    return time.perf_counter() - began, time.process_time() - processor


class BytesMoved(TorchDispatchMode):
    """Counts the bytes of every operation's tensors, in and out: what a step moves without any fusion."""

    total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        # `_unsafe_view` is a view that is not called one.
        if not func.is_view and func is not torch.ops.aten._unsafe_view.default:
            leaves = tree_leaves((args, kwargs, out))
            self.total += sum(leaf.numel() * leaf.element_size() for leaf in leaves if isinstance(leaf, Tensor))
        return out


def work_of_a_step(arguments: argparse.Namespace, device: Device) -> tuple[float, float]:
    """Floating point operations of the products, and bytes moved, in one training step."""
    dataset = make_dataset(arguments, TrainingSettings())
    model = build_model(dataset).to(device.torch_device).train()
    optimizer, data = build_optimizer(model, TrainingSettings()), DeviceData(dataset, device.torch_device)
    batch = torch.from_numpy(dataset.samples()["train"].made_on[: arguments.batch]).to(device.torch_device)
    with FlopCounterMode(display=False) as flops:
        training_step(model, optimizer, data, batch, device, 0.5)
    with BytesMoved() as moved:
        training_step(model, optimizer, data, batch, device, 0.5)
    return float(flops.get_total_flops()), float(moved.total)


def check_same_result(arguments: argparse.Namespace) -> None:
    """The variants are one algorithm: same weights and windows, same loss and gradients (dropout off)."""
    small = argparse.Namespace(**{**vars(arguments), "sessions": 80, "stocks": 9})
    dataset, device = make_dataset(small, TrainingSettings()), choose_device("cpu", "float32")
    seen = []
    for variant in VARIANTS.values():
        network, data = build_variant(variant, dataset, device)
        optimizer = build_optimizer(network.eval(), TrainingSettings())
        record = training_step(network, optimizer, data, torch.tensor([30, 31, 40]), device, 0.5)
        seen.append(torch.cat([record, *(p.grad.flatten() for p in network.parameters() if p.grad is not None)]))
    for other in seen[1:]:
        torch.testing.assert_close(other, seen[0], rtol=1e-3, atol=1e-5)


def full_training(arguments: argparse.Namespace, compiled: bool) -> None:
    """100 epochs from the first step to the last checkpoint, nothing left out."""
    device = choose_device(arguments.device)
    settings = TrainingSettings(max_epochs=100, patience=100, batch_size=arguments.batch, compile=compiled)
    dataset = make_dataset(arguments, settings)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        history = train(dataset, Path(folder), device).history
        seconds = time.perf_counter() - began
    samples = len(dataset.samples()["train"])
    steps, in_steps = 100 * -(-samples // arguments.batch), float((samples / history["sessions_per_second"]).sum())
    flops, moved = work_of_a_step(arguments, device)
    how = " with torch.compile" if compiled else ""
    print(f"\n100 epochs on {device}{how}: {seconds:.1f} s, {in_steps:.1f} s of them in {steps} steps")
    print(f"peak {history['memory_mib'].max():.0f} MiB")
    print(f"a step is {flops / 1e9:.0f} GFLOP in products and moves {moved / 1e9:.2f} GB, counted without fusion")
    rate = steps / in_steps
    for chip, (peak, bandwidth) in PEAKS.items():
        if chip in device.name:
            print(f"that is {flops * rate / peak:.1%} of the {chip}'s bfloat16 peak", end=" ")
            print(f"and {moved * rate / bandwidth:.1%} of its memory bandwidth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("stocks", 185), ("factors", 22), ("batch", 12), ("sessions", 660), ("steps", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--compile", action="store_true", help="torch.compile on a CPU too, and in 100 epochs: minutes")
    parser.add_argument("--variant", choices=tuple(VARIANTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        print(json.dumps(measure_variant(arguments.variant, arguments)))
        return
    check_same_result(arguments)
    device = choose_device(arguments.device)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"N={arguments.stocks}, F={arguments.factors}, batch {arguments.batch}, D=128, 2 layers; one training step,")
    print(f"median of {arguments.steps}; `processor` is its own time on all threads, whatever else the machine does\n")
    print(f"{'':32}{'s/step':>9}{'times':>7}{'processor s':>13}{'times':>7}{'look-up':>9}{'peak MiB':>10}")
    found: dict[str, dict[str, float]] = {}
    for name in VARIANTS:
        if name == COMPILED and device.kind == "cpu" and not arguments.compile:
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--variant", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name:32} failed: {(done.stderr.strip().splitlines() or ['killed, out of memory?'])[-1]}")
            continue
        row = found[name] = json.loads(done.stdout.splitlines()[-1])
        times = [found[PUBLISHED][key] / row[key] if PUBLISHED in found else math.nan for key in ("step", "processor")]
        print(f"{name:32}{row['step']:9.4f}{times[0]:7.2f}{row['processor']:13.4f}{times[1]:7.2f}", end="")
        print(f"{row['lookup'] / row['step']:9.2%}{row['mib']:10.0f}", flush=True)
    if PUBLISHED in found and OURS in found:
        ratio, memory = found[PUBLISHED]["step"] / found[OURS]["step"], found[OURS]["mib"] * MIB / 1e9
        print(f"\nours is {ratio:.1f} times as fast a step as the published algorithm (target 5 on 2 CPU cores),")
        print(f"{memory:.2f} GB at most (target 2.2)")
    if device.kind == "cuda":
        full_training(arguments, compiled=False)
        if arguments.compile:
            full_training(arguments, compiled=True)


if __name__ == "__main__":
    main()
