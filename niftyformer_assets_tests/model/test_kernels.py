"""The GPU's kernels compute what they stand for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from niftyformer_assets_tests.model.conftest import NO_GPU


@pytest.mark.skipif(sys.platform != "linux", reason="Triton is there for Linux only")
def test_in_the_interpreter() -> None:
    """In a process of its own: whether Triton compiles or interprets is decided when it is imported."""
    done = subprocess.run(
        [sys.executable, "-m", "niftyformer_assets_tests.model.kernel_checks"],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@NO_GPU
@pytest.mark.parametrize("name", ["check_attention", "check_convolution", "check_fusion", "check_layers"])
def test_on_a_gpu(name: str) -> None:
    from niftyformer_assets_tests.model import kernel_checks

    check: Callable[[torch.device], None] = getattr(kernel_checks, name)
    check(torch.device("cuda"))
