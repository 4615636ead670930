"""One training step on tensors that stay in place: run plainly, captured, or compiled and captured.

Shapes: B batch, T1 and T2 sessions in and out of a window, N stocks, D width, P weights, L layers.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from niftyformer_assets.model.averaging import WeightMean
from niftyformer_assets.model.batches import DeviceData
from niftyformer_assets.model.build import network_of
from niftyformer_assets.model.capture import capture, compiled
from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.device import Device
from niftyformer_assets.model.dropout import Dropped
from niftyformer_assets.model.gpu import try_kernels
from niftyformer_assets.model.inference import Inference
from niftyformer_assets.model.ranking import losses, names_of_losses
from niftyformer_assets.model.schedule import by_step, learning_rate, steps_to_the_lowest
from niftyformer_assets.model.training_settings import TrainingSettings
from niftyformer_assets.model.weights import FlatWeights

Way = Literal["plain", "captured", "compiled"]
# Where one does not work, the next is tried.
WAYS: tuple[Way, ...] = ("compiled", "captured", "plain")
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
# Settings of a training that are read between its steps, and so may be others when a step is used again.
BETWEEN_STEPS = {"learning_rate", "max_epochs", "patience", "scheduler_factor", "scheduler_patience", "monitor"}
BETWEEN_STEPS |= {"decay_steps", "precision", "seeds", "seed", "step"}


class State(NamedTuple):
    """What is kept of a training after an epoch, on the CPU, of the real stocks and factors.

    network: the state that is trained on.
    optimizer: its moments and learning rate, and the mean of the weights where there is one.
    judged: the state that validation and predictions see.
    """

    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    judged: dict[str, Tensor]


Kept = Callable[[], State]


class TrainingStep:
    """A network, its optimiser and its data on a device, and what trains them by one step.

    Every step reads and writes the same tensors, has the same shapes and never waits for the
    device: the last batch of an epoch is filled up with samples that do not count, losses are
    recorded on the device. So a step can be captured once and used for every epoch, for other
    seeds, and for other datasets whose padded sizes and settings are the same (`fits`).

    Args:
        dataset: that comes first.
        way: `captured` and `compiled` replay a CUDA graph on a GPU; `compiled` compiles the network
            and its gradient with torch.compile before. On a CPU there is nothing to capture.
        multiple: what stocks and channels are rounded up to; None is what the device likes.

    Attributes:
        way: how it runs in fact.
        notes: why it does not run as asked, in words.
    """

    def __init__(self, dataset: Dataset, device: Device, way: Way, multiple: int | None = None) -> None:
        settings = dataset.settings
        self.device, self.asked, self.settings = device, way, settings
        self.data = DeviceData(dataset, device.torch_device, multiple or device.multiple)
        self.weights = FlatWeights(network_of(settings, *self.data.sizes[1:]), device.torch_device)
        flat, training = self.weights.flat, settings.training
        self.mean = WeightMean(flat, training.ema_decay) if training.ema_decay else None
        judged = None if self.mean is None else self.mean.mean
        self.inference = Inference(self.weights, self.data, device, training.batch_size, judged)

        def place(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device.torch_device)

        batch, network = training.batch_size, self.weights.network
        steps = -(-self.data.sizes.sessions // batch)
        self.steps = 0
        self.order, self.counted = place(steps, batch, dtype=torch.int64), place(steps, batch, dtype=torch.bool)
        self.position = place(1, dtype=torch.int64)
        self.record = place(steps, len(names_of_losses(training)) + 1)
        self.dropped = Dropped(network.dropouts(batch, *self.data.sizes[1:]), device.torch_device)
        self.learning_rate = place() + training.learning_rate
        self.rate = place() if by_step(training) else self.learning_rate
        self.lowest_after = place()
        self.decay = self.weights.of_maps() * training.weight_decay if training.weight_decay else None
        # One tensor keeps a GPU's fused kernel from using all of it: Adam's few plain kernels take half of the time.
        on_cpu = device.kind == "cpu"
        self.optimizer = torch.optim.Adam(
            [flat], lr=self.learning_rate, fused=on_cpu, foreach=False, capturable=not on_cpu
        )
        self.optimizer.state[flat] = {
            "step": place(),
            "exp_avg": torch.zeros_like(flat),
            "exp_avg_sq": torch.zeros_like(flat),
        }
        # In memory that a GPU reaches by itself.
        self._copies = {
            name: torch.empty_like(kept, device="cpu", pin_memory=not on_cpu) for name, kept in self._to_keep.items()
        }
        width = network.kernel_width
        without = try_kernels(width) if device.kind == "cuda" and width is not None else ""
        self.way, self._run, self.notes = self._prepared(way)
        if without:
            self.notes.append(f"The kernels for this GPU could not be built, so a step takes longer: {without}")

    def fits(self, dataset: Dataset, device: Device, way: Way) -> bool:
        """Whether this step can train on a dataset."""
        mine, other = self.settings, dataset.settings
        return (
            (device.kind, device.precision, way) == (self.device.kind, self.device.precision, self.asked)
            and self.data.fits(dataset)
            and _apart_from_training(mine) == _apart_from_training(other)
            and _in_a_step(mine.training) == _in_a_step(other.training)
        )

    def begin(self, dataset: Dataset, state: Mapping[str, Tensor]) -> None:
        """Put a dataset and weights into place, and an optimiser that has seen nothing."""
        self.data.place(dataset)
        self.weights.load(state)
        self.learning_rate.fill_(dataset.settings.training.learning_rate)
        self.lowest_after.fill_(steps_to_the_lowest(dataset))
        for moment in self._moments().values():
            moment.zero_()

    def kept(self) -> Kept:
        """Copy the states without waiting for the device, which may be asked for more at once.

        Returns:
            what waits until the copy is there and gives it. It must have been asked before the next copy is made.
        """
        for name, copy in self._copies.items():
            copy.copy_(self._to_keep[name], non_blocking=True)
        arrived = torch.cuda.Event() if self.device.kind == "cuda" else None
        if arrived is not None:
            arrived.record()

        def states() -> State:
            if arrived is not None:
                arrived.synchronize()
            optimizer = {name: copy.clone() for name, copy in self._copies.items() if name != "weights"}
            network = self.weights.state(self._copies["weights"])
            judged = network if self.mean is None else self.weights.state(self._copies["mean"])
            return State(network, optimizer, judged)

        return states

    def load_optimizer_state(self, state: Mapping[str, Tensor]) -> None:
        """Copy an optimiser's state, as `kept` gives it, into place."""
        self.learning_rate.copy_(state["learning_rate"])
        for name, moment in self._moments().items():
            moment.copy_(state[name])

    def epoch(self, made_on: Tensor) -> Iterator[int]:
        """Train on samples made on the sessions `made_on` (int64 [S], on the CPU), in this order.

        Yields:
            how many steps were asked of the device so far.
        """
        batch = self.order.shape[1]
        self.steps = -(-len(made_on) // batch)
        filled = torch.cat([made_on, made_on[-1:].expand(self.steps * batch - len(made_on))])
        self.order[: self.steps] = filled.view(-1, batch).to(self.order.device)
        self.counted[: self.steps] = (torch.arange(len(filled)) < len(made_on)).view(-1, batch).to(self.order.device)
        self.position.zero_()
        for step in range(self.steps):
            self._run()
            yield step + 1

    def recorded(self) -> Tensor:
        """`names_of_losses` and the gradient norm before clipping of each step of the epoch, [steps, …], on the CPU."""
        return self.record[: self.steps].detach().to("cpu", copy=True)

    @property
    def _to_keep(self) -> dict[str, Tensor]:
        return {"weights": self.weights.flat.detach(), "learning_rate": self.learning_rate, **self._moments()}

    def _moments(self) -> dict[str, Tensor]:
        state: dict[str, Any] = self.optimizer.state[self.weights.flat]
        mean = {} if self.mean is None else {"mean": self.mean.mean}
        return {name: state[name] for name in MOMENTS} | mean

    def _prepared(self, asked: Way) -> tuple[Way, Callable[[], None], list[str]]:
        """The way that works of those from the one asked for on, how a step is run then, and why not the others."""
        notes: list[str] = []
        for way in WAYS[WAYS.index(asked) :]:
            try:
                return way, self._made_ready(way), notes
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # compilers raise what they like
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                notes.append(f"The step could not be {way}, so it ran otherwise: {reason}")
        raise AssertionError("a plain step needs no preparation")

    def _made_ready(self, way: Way) -> Callable[[], None]:
        self._run_loss = compiled(self._loss) if way == "compiled" else self._loss
        if way == "plain":
            return self._step
        if self.device.kind == "cpu":
            if way == "captured":
                raise RuntimeError("only on a GPU is there something to capture")
            self._step()  # compiled now, so that what fails fails here
            return self._step
        run = capture(self._step)
        self.inference.capture()
        return run

    def _step(self) -> None:
        row = self.order[self.position].squeeze(0), self.counted[self.position].squeeze(0)
        self.dropped.draw(*self.data.here[1:])
        flat = self.weights.flat
        parts = self._run_loss(*row, self.dropped.at)
        (flat.grad,) = torch.autograd.grad(parts.sum(), flat)
        norm = nn.utils.clip_grad_norm_(flat, self.settings.training.gradient_clip)
        self._update()
        self.record.index_copy_(0, self.position, torch.cat([parts.detach(), norm.view(1)]).unsqueeze(0))
        self.position.add_(1).remainder_(len(self.record))

    @torch.no_grad()
    def _update(self) -> None:
        """Change the weights by their gradient."""
        flat, settings = self.weights.flat, self.settings.training
        taken = self.optimizer.state[flat]["step"]
        if self.rate is not self.learning_rate:
            self.rate.copy_(learning_rate(self.learning_rate, taken, self.lowest_after, settings))
        if self.decay is not None:
            flat.mul_(1 - self.rate * self.decay)
        (group,) = self.optimizer.param_groups
        group["lr"] = self.rate
        self.optimizer.step()
        # Which is what the plateau's scheduler lowers.
        group["lr"] = self.learning_rate
        if self.mean is not None:
            self.mean.take(flat, taken)

    def _loss(self, made_on: Tensor, counted: Tensor, dropped: Mapping[str, Tensor]) -> Tensor:
        """The losses of samples made on the sessions `made_on`, of which those `counted` count."""
        narrow, network = self.device.dtype, self.weights.network
        seen = network.sees(self.data, made_on, narrow)
        outputs = functional_call(network, self.weights.views(narrow), (seen, dropped))
        return losses(outputs, self.data.targets(made_on, counted), self.settings.training)


def _apart_from_training(settings: RunSettings) -> dict[str, Any]:
    return {name: value for name, value in settings.values().items() if name not in ("seed", "training")}


def _in_a_step(settings: TrainingSettings) -> dict[str, Any]:
    """What a step is made for."""
    return {name: value for name, value in asdict(settings).items() if name not in BETWEEN_STEPS}


class Steps:
    """The last step that was made ready, which the next training uses again where it fits.

    Args:
        multiple: of `TrainingStep`.
    """

    def __init__(self, multiple: int | None = None) -> None:
        self._multiple = multiple
        self._last: TrainingStep | None = None

    def of(self, dataset: Dataset, device: Device) -> TrainingStep:
        """A step for a dataset, run as its settings say."""
        asked = dataset.settings.training.step
        way: Way = asked if asked != "auto" else "captured" if device.kind == "cuda" else "plain"
        if self._last is None or not self._last.fits(dataset, device, way):
            self._last = None
            gc.collect()  # a step refers to itself; its memory is to be free before the next one takes some
            if device.kind == "cuda":
                torch.cuda.empty_cache()  # what a captured step used lies in a place of its own
            self._last = TrainingStep(dataset, device, way, self._multiple)
        return self._last
