"""Which device computes, and in which precision."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from niftyformer_assets.store.errors import NiftyFormerError

Kind = Literal["auto", "cuda", "cpu"]
Precision = Literal["auto", "float32", "bfloat16"]
MIB = 1 << 20
REPEATABLE_WORKSPACES = (":4096:8", ":16:8")
# How memory that ran out is worded where no class of its own says so: the CPU's allocator, the driver, cuBLAS.
OUT_OF_MEMORY = ("allocate memory", "CUDA error: out of memory", "ALLOC_FAILED")


@dataclass(frozen=True)
class Device:
    """A device with what is worth knowing about it.

    memory_mib: all of its memory; free_mib: what was free when it was chosen (None on a CPU).
    compute_capability: as NVIDIA numbers it, None on a CPU.
    precision: of the products.
    """

    kind: Literal["cuda", "cpu"]
    name: str
    memory_mib: int
    free_mib: int | None
    compute_capability: str | None
    precision: Literal["float32", "bfloat16"]

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.kind)

    @property
    def dtype(self) -> torch.dtype:
        """What products are computed in."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def multiple(self) -> int:
        """What stocks and channels are rounded up to.

        A GPU multiplies sizes that are no multiple of 8 several times slower. With 16 more windows share a step.
        """
        return 16 if self.kind == "cuda" else 1

    def peak_mib(self) -> int:
        """The most memory taken on a GPU since it was last reset, or by the process on a CPU; 0 if unknown."""
        if self.kind == "cuda":
            return torch.cuda.max_memory_reserved() // MIB  # what a graph uses counts as free, but is not
        try:
            import resource
        except ImportError:  # not every system has it
            return 0
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    def __str__(self) -> str:
        capability = f", compute capability {self.compute_capability}" if self.compute_capability else ""
        return f"{self.name} ({self.memory_mib} MiB{capability}) in {self.precision}"


def choose_device(asked: Kind = "auto", precision: Precision = "auto", require_gpu: bool = False) -> Device:
    """The device to train or predict on.

    Args:
        asked: `auto` is a GPU if there is one, else the CPU.
        require_gpu: refuse the CPU.

    Raises:
        NiftyFormerError: a GPU is required or asked for and there is none that torch can use.
    """
    gpu = torch.cuda.is_available()
    if require_gpu and asked == "cpu":
        raise NiftyFormerError("the CPU was asked for, but a GPU is required: ask for the GPU or allow the CPU.")
    if not gpu and (require_gpu or asked == "cuda"):
        why = "this build of torch is without CUDA" if torch.version.cuda is None else "torch sees no CUDA device"
        instead = "allow the CPU (NIFTYFORMER_CPU_ALLOWED=true)" if require_gpu else "choose the CPU (--device cpu)"
        raise NiftyFormerError(f"no GPU to train on ({why}): run it where there is one, or {instead}.")
    if gpu and asked != "cpu":
        # cuBLAS repeats its results only with a fixed workspace, and reads this once, at its start.
        if os.environ.get("CUBLAS_WORKSPACE_CONFIG") not in REPEATABLE_WORKSPACES:
            os.environ["CUBLAS_WORKSPACE_CONFIG"] = REPEATABLE_WORKSPACES[0]
        properties = torch.cuda.get_device_properties(0)
        capability = (properties.major, properties.minor)
        return Device(
            kind="cuda",
            name=properties.name,
            memory_mib=properties.total_memory // MIB,
            free_mib=torch.cuda.mem_get_info(0)[0] // MIB,
            compute_capability=f"{capability[0]}.{capability[1]}",
            precision=_resolve(precision, capability >= (8, 0)),
        )
    return Device(
        kind="cpu",
        name=_cpu_name(),
        memory_mib=_machine_memory() // MIB,
        free_mib=None,
        compute_capability=None,
        # Measured: half the time of float32 where the CPU multiplies in it, many times the time elsewhere.
        precision=_resolve(precision, torch.cpu._is_avx512_bf16_supported()),
    )


@contextmanager
def out_of_memory_in_words(batch_size: int, device: Device) -> Iterator[None]:
    """Turn running out of memory into one line with the batch size to try."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not (of_memory or any(words in str(error) for words in OUT_OF_MEMORY)):
            raise
        advice = f"set training.batch_size to {batch_size // 2}" if batch_size > 1 else "set a smaller model.width"
        raise NiftyFormerError(
            f"{device.name} with {device.memory_mib} MiB is out of memory at training.batch_size {batch_size}: "
            f"{advice} and start again."
        ) from None


def _resolve(precision: Precision, bfloat16_helps: bool) -> Literal["float32", "bfloat16"]:
    if precision != "auto":
        return precision
    return "bfloat16" if bfloat16_helps else "float32"


def _cpu_name() -> str:
    tell: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)  # not every release tells
    return str(tell().get("cpu_name", "CPU"))


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return 0
