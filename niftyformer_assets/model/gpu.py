"""Whether the kernels of our own can be used on this machine's GPU."""

from __future__ import annotations

import torch

# Powers of 2 that a tensor core takes and whose tiles fit into registers.
KERNEL_WIDTHS = (16, 32, 64, 128)
# Whether the layers' kernels work, and for which widths those of whole blocks do. Asked for inside what is
# captured and compiled, so it is found out before, by `try_kernels`.
kernels_work = False
widths_that_work: tuple[int, ...] = ()


def try_kernels(width: int) -> str:
    """Build and run the kernels for states of a width; why that fails, or nothing.

    Triton needs a C compiler and is there on Linux only; a smaller GPU may have too little memory beside its
    processors for whole blocks.
    """
    global kernels_work, widths_that_work
    if kernels_work and (width in widths_that_work or width not in KERNEL_WIDTHS):
        return ""
    try:
        run_layers(width)
        torch.cuda.synchronize()
        kernels_work = True
        if width in KERNEL_WIDTHS:
            run_blocks(width)
            torch.cuda.synchronize()
            widths_that_work += (width,)
    except Exception as error:  # whatever it is, the plain operations do without
        return next(iter(str(error).splitlines()), type(error).__name__)
    return ""


def run_layers(width: int, device: str = "cuda") -> None:
    """Run a kernel of the layers."""
    from niftyformer_assets.model import layer_kernels

    two = torch.ones(2, width, device=device)
    layer_kernels.residual_norm(two, two, 1e-5)


def run_blocks(width: int, device: str = "cuda", dtype: torch.dtype = torch.bfloat16) -> None:
    """Run all kernels of blocks, forward and for the gradient."""
    from niftyformer_assets.model import block_kernels, head_kernels

    with torch.enable_grad():
        x = torch.ones(1, 2, 64, width, dtype=dtype, device=device, requires_grad=True)
        present, square, row = x[..., 0] > 0, x.new_ones(width, width), x.new_ones(width)
        maps = (square, row, square, row)
        for over_stocks, addend in ((True, x[0, 0]), (False, x[:, :, :1])):
            x = block_kernels.attention_block(x, addend, present, over_stocks, maps, maps, 1e-5)
        x = block_kernels.causal_convolution(x, present, square.repeat(1, 2), row, x.detach() > 2, 0.5)
        x = head_kernels.fusion(x, x, (*maps, square, row), (square, row), maps, 1e-5)
        wide, narrow = square.float(), row.float()
        head_kernels.head(x, (wide, narrow, wide[:1], narrow[:1])).sum().backward()
