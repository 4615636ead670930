"""Running the same work again and again on a GPU: captured once, then replayed as a whole.

A step of small kernels is bound by the host that launches them, one after the other. A CUDA graph
launches all of them at once, with the very same results.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import torch
import torch._dynamo
import torch._functorch.config

from niftyformer_assets.store.provenance import code_version

# Libraries set up their handles and workspaces in the first calls, which cannot be captured.
WARM_UP = 3
P = ParamSpec("P")


def capture(body: Callable[[], None]) -> Callable[[], None]:
    """`body`, which reads and writes tensors that stay in place, as one CUDA graph.

    It is run a few times first, so whatever it changes has to be put right afterwards. Random
    numbers it draws go on from the state of torch's generator at each replay. Where it fails, graphs
    captured before no longer follow torch's generator.

    Raises:
        RuntimeError: something in it cannot be captured, such as a look at a value on the host.
    """
    before = torch.cuda.current_stream()
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    sound = generator.clone_state()
    stream = torch.cuda.Stream()
    stream.wait_stream(before)
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            body()
    before.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            body()
    except BaseException:
        # A capture that breaks off leaves its stream the current one, and the generator waiting for its end.
        torch.cuda.set_stream(before)
        generator.graphsafe_set_state(sound)
        raise
    return graph.replay


def compiled(function: Callable[P, torch.Tensor]) -> Callable[P, torch.Tensor]:
    """`function` compiled by torch.compile at its first call, for one shape; the next process finds what was made.

    It lies where TORCHINDUCTOR_CACHE_DIR says; else in the user's cache folder, one a version of this code.
    What was compiled before in this process is forgotten: torch keeps a few shapes only.
    """
    torch._dynamo.reset()
    parent = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    mine = str(parent / f"niftyformer-torch-{code_version('model')}")
    # torch sets the variable itself, to its own folder among the temporary files.
    if Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", "torchinductor_")).name.startswith("torchinductor_"):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = mine
    # Off by default, as torch does not look into such functions when it looks for what it made; our folder's name does.
    allowed = os.environ["TORCHINDUCTOR_CACHE_DIR"] == mine
    torch._functorch.config.autograd_cache_allow_custom_autograd_functions = allowed
    return torch.compile(function, dynamic=False, fullgraph=True)
