"""All weights of a network in one tensor, so that a step narrows, clips and updates them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from niftyformer_assets.model.network import Network

# Weights of odd sizes come last, so that the others begin where a GPU reads whole words.
EVEN = 64


class FlatWeights:
    """The weights of `network` on a device; P of them.

    The network's own tensors become views of `flat`, so what is loaded into one is in the other.

    Attributes:
        flat: float32 [P], the one tensor that is trained.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = network.to(device)
        wide = network.wide_weights()
        parameters = dict(network.named_parameters())
        self.names = sorted(parameters, key=lambda name: (name not in wide, parameters[name].numel() % EVEN != 0))
        self.shapes = [parameters[name].shape for name in self.names]
        self.wide = len(wide)
        self.flat = nn.Parameter(torch.cat([parameters[name].detach().flatten() for name in self.names]))
        for name, place, shape in self._places():
            parameters[name].data = self.flat.detach()[place].view(shape)
        self._take_note(self.network.state_dict())

    def views(self, narrow: torch.dtype, flat: Tensor | None = None) -> dict[str, Tensor]:
        """The weights by name, those that may be narrowed in `narrow`.

        Args:
            flat: [P], others than `flat`, in the same order.
        """
        sizes = [shape.numel() for shape in self.shapes]
        first, second = (self.flat if flat is None else flat).split([sum(sizes[: self.wide]), sum(sizes[self.wide :])])
        parts = [*first.split(sizes[: self.wide]), *second.to(narrow).split(sizes[self.wide :])]
        return {name: part.view(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Copy a state of a network of this size, or of fewer stocks or factors, into place; the rest becomes 0.

        Raises:
            RuntimeError: the state is of another network.
        """
        own = self.network.state_dict()
        if own.keys() != state.keys():
            raise RuntimeError(f"the weights are of another network: {sorted(own.keys() ^ state.keys())[0]}")
        for name, target in own.items():
            given = state[name]
            if given.dim() != target.dim() or any(a > b for a, b in zip(given.shape, target.shape, strict=True)):
                raise RuntimeError(f"{name} is {tuple(given.shape)}, the network's {tuple(target.shape)}")
            target.zero_()
            target[_first(given.shape)] = given.to(target.device)
        self._take_note(state)

    def state(self, flat: Tensor) -> dict[str, Tensor]:
        """The network's state on the CPU, for as many stocks and factors as the one that was loaded.

        Args:
            flat: a copy of `flat` on the CPU, of which the state is a copy again.
        """
        own = {name: flat[place].view(shape) for name, place, shape in self._places()} | self._constants
        return {name: own[name][_first(self._sizes[name])].clone() for name in self.network.state_dict()}

    def of_maps(self) -> Tensor:
        """float32 [P], 1 at the weights of maps, of two dimensions, and 0 at biases; on the device of `flat`."""
        found = torch.zeros_like(self.flat, requires_grad=False)
        for _, place, shape in self._places():
            found[place] = float(len(shape) > 1)
        return found

    def _take_note(self, state: Mapping[str, Tensor]) -> None:
        self._sizes = {name: tensor.shape for name, tensor in state.items()}
        # No weights, so they change only with what is loaded: on the CPU a copy need not wait for the device.
        self._constants = {name: buffer.cpu() for name, buffer in self.network.named_buffers()}

    def _places(self) -> Iterator[tuple[str, slice, torch.Size]]:
        """Each weight's name, where it lies in `flat`, and its shape."""
        start = 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            yield name, slice(start, start + shape.numel()), shape
            start += shape.numel()


def _first(shape: torch.Size) -> tuple[slice, ...]:
    """Where in a larger tensor one of this shape lies."""
    return tuple(slice(length) for length in shape)
