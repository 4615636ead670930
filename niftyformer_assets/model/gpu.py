"""Whether the kernels of our own can be used on this machine's GPU."""

from __future__ import annotations

import torch

# Asked for inside what is captured and compiled, so it is found out before, by `try_kernels`.
kernels_work = False


def try_kernels() -> str:
    """Build and run a kernel; why that fails, or nothing. Triton needs a C compiler, and is there on Linux only."""
    global kernels_work
    if not kernels_work:
        try:
            from niftyformer_assets.model import attention_kernels, layer_kernels  # noqa: F401

            two = torch.ones(2, 16, device="cuda")
            layer_kernels.residual_norm(two, two, 1e-5)
            torch.cuda.synchronize()
        except Exception as error:  # whatever it is, the plain operations do without
            return next(iter(str(error).splitlines()), type(error).__name__)
        kernels_work = True
    return ""
