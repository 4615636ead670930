"""A model's folder: its card and what it learned, written so that a kill cannot hurt them.

model.json    what the model is of: settings, symbols, factors, device, data fingerprint

and of a baseline that is no network

learned.npz   arrays that it predicts from; absent where it is fitted again

or of a network

best.pt       the weights of the best epoch, by the smallest validation MAE or the largest rank IC
last.pt       everything needed to go on after the last finished epoch
metrics.csv   one row an epoch
trained.json  that the training has ended, why, and with which best.pt
index.json    the hashes of all these

The same training gives these the same bytes. What is another each time lies beside them:
environment.json (versions, device, threads) and speed.csv (time and memory of each epoch).
"""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from niftyformer_assets.model.data import Dataset, RunSettings
from niftyformer_assets.model.device import Device
from niftyformer_assets.store.atomic import remove_leftovers
from niftyformer_assets.store.errors import UNREADABLE, NiftyFormerError, damaged
from niftyformer_assets.store.index import entered_digests, read_entered, read_json, write_entered
from niftyformer_assets.store.provenance import flat_settings

FORMAT = 1
# What last.pt and best.pt hold.
STATE = ("card", "model", "optimizer", "scheduler", "random", "history")
BEST_STATE = ("model", "epoch", "val_mae")


class ModelFolder:
    """The files of one trained model."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def card(self) -> Path:
        return self.root / "model.json"

    @property
    def learned(self) -> Path:
        return self.root / "learned.npz"

    @property
    def best(self) -> Path:
        return self.root / "best.pt"

    @property
    def last(self) -> Path:
        return self.root / "last.pt"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.csv"

    @property
    def trained(self) -> Path:
        return self.root / "trained.json"

    @property
    def environment(self) -> Path:
        return self.root / "environment.json"

    @property
    def speed(self) -> Path:
        return self.root / "speed.csv"

    @property
    def lock(self) -> Path:
        return self.root / ".training.lock"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def output(self) -> Path:
        """The four CSVs that the published code leaves."""
        return self.root / "output"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else trains into the folder meanwhile; it is made if absent.

        Raises:
            NiftyFormerError: another process is training into it, or it cannot be written to.
        """
        with ExitStack() as stack:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self.lock, timeout=0))
                self.remove_unfinished_writes()
            except Timeout:
                raise NiftyFormerError(
                    f"another process is training into {self.root}: wait for it or use another folder."
                ) from None
            except OSError as error:
                raise NiftyFormerError(
                    f"{self.root} cannot be trained into: {error.strerror or error}. Make it writable, or use another "
                    "folder."
                ) from None
            yield

    def remove_unfinished_writes(self) -> None:
        """Remove the temporary files of a training that was killed while it wrote; the lock must be held."""
        for path in self._written:
            remove_leftovers(path)

    def clear(self) -> None:
        """Forget a training: the files that make a later one go on from here."""
        for path in self._written:
            path.unlink(missing_ok=True)

    @property
    def _written(self) -> tuple[Path, ...]:
        parts = (self.trained, self.last, self.best, self.card, self.metrics, self.environment, self.speed)
        return *parts, self.learned


def model_card(dataset: Dataset, device: Device) -> dict[str, Any]:
    """What a network is of, as JSON values: enough to build it, and to see whether data fit it."""
    of = card_of(dataset, dataset.settings.values(), dataset.fingerprint())
    return {**of, "device": device.kind, "precision": device.precision}


def card_of(dataset: Dataset, settings: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    """What any model is of, as JSON values.

    Args:
        settings: those that decide on it.
        data: the fingerprint of what it was fitted on.
    """
    return {
        "format": FORMAT,
        "code": dataset.settings.model.code(),
        "sessions": sessions_of(dataset),
        "settings": dict(settings),
        "symbols": list(dataset.axes.symbols),
        "factors": list(dataset.factor_names),
        "data": dict(data),
    }


def sessions_of(dataset: Dataset) -> dict[str, str]:
    """The sessions that a model is fitted and chosen on, in words."""
    dates, split = dataset.axes.dates, dataset.split
    return {
        part: f"{dates[place.start]} to {dates[place.stop - 1]}"
        for part, place in (("train", split.train), ("validation", split.validation))
    }


def environment(device: Device) -> dict[str, Any]:
    """What bits depend on beside what `changes` compares, as JSON values."""
    threads = torch.get_num_threads() if device.kind == "cpu" else 1
    return {"torch": str(torch.__version__), "device": device.name, "threads": threads}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two model cards in a way that a training cannot go on from, in words.

    `training.max_epochs` and `training.seeds` may differ: training longer, or other networks beside this
    one, is going on, unless the learning rate falls over all epochs. On other sessions all data differ; then only the
    sessions are named.
    """
    kept = ("format", "device", "precision", "sessions")
    cards = [
        {**flat_settings(_all_settings(card["settings"])), **{key: card.get(key) for key in kept}}
        for card in (before, now)
    ]
    for card in cards:
        others = ["training.seeds", "name"]
        if card.get("training.learning_rate_decay") == "plateau" or card.get("training.decay_steps") is not None:
            others.append("training.max_epochs")
        for name in others:
            card.pop(name, None)
    found = changed_settings(*cards)
    if cards[0].get("model.name") != cards[1].get("model.name"):  # each model has other settings, and sees other data
        return [line for line in found if line.startswith("model.name ")]
    if before.get("code") != now.get("code"):
        found.append("the code that makes the model changed")
    if before.get("sessions") == now.get("sessions"):
        found += [
            f"the {name} of the training and validation sessions changed"
            for name in _differing(before["data"], now["data"])
        ]
    return found


def _all_settings(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A card's settings, those in it that came after it with their defaults; as they are where they are none of now."""
    try:
        return RunSettings.read(values).values()
    except (KeyError, TypeError, ValueError):
        return values


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that differ, in words."""
    flat_before, flat_now = flat_settings(before), flat_settings(now)
    return [
        f"{name} was {flat_before.get(name)} and is {flat_now.get(name)}" for name in _differing(flat_before, flat_now)
    ]


def misfits(files: ModelFolder, card: Mapping[str, Any], dataset: Dataset) -> list[str]:
    """What a model of a card is of that is otherwise in a dataset, in words; how it was trained aside.

    Raises:
        NiftyFormerError: the card is damaged.
    """
    try:
        before = RunSettings.read(card["settings"]).values()
        were = {name: card[name] for name in ("sessions", "symbols", "factors")}
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(files.card, error) from error
    now = dataset.settings.values()
    for values in (before, now):
        values.pop("training", None)
    found = changed_settings(before, now)
    there = {
        "sessions": sessions_of(dataset),
        "symbols": list(dataset.axes.symbols),
        "factors": list(dataset.factor_names),
    }
    return found + [f"{name} changed: {_difference(were[name], there[name])}" for name in _differing(were, there)]


def _difference(before: object, now: object) -> str:
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            return f"{len(before)} against {len(now)}"
        place = next(i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b)
        return f"number {place + 1} is {before[place]} against {now[place]}"
    return f"{before} against {now}"


def must_fit(files: ModelFolder, dataset: Dataset, found: Sequence[str] = ()) -> None:
    """Refuse a model that is of other settings, sessions, symbols or factors than a dataset has.

    Args:
        found: what else is otherwise, in words; said where nothing of these is.

    Raises:
        NiftyFormerError: so it is, or there is none, or its card is damaged.
    """
    if different := misfits(files, read_card(files.card), dataset) or found:
        raise NiftyFormerError(
            f"the model in {files.root} was fitted on something else than is there now: {'; '.join(different)}. Train "
            "again, or use the dataset it was fitted on."
        )


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Write a model card; the same card gives the same bytes."""
    write_entered(path, json.dumps(card, indent=1, sort_keys=True) + "\n")


def read_card(path: Path) -> dict[str, Any]:
    """Read a model card.

    Raises:
        NiftyFormerError: missing, damaged, or written by another version.
    """
    card = read_json(path)
    if card.get("format") != FORMAT:
        raise NiftyFormerError(f"{path} is of format {card.get('format')}, this version reads {FORMAT}: train again.")
    return card


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values to `path` atomically; the same state gives the same bytes."""
    stream = io.BytesIO()  # a file's name would become part of its content
    torch.save(_plain(state), stream)
    write_entered(path, stream.getvalue())


def _plain(value: Any) -> Any:
    """The same, each text one object: pickle writes an object that it has met before in another way."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(each) for each in value)
    return value


def read_checkpoint(path: Path, keys: Collection[str] = ()) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote, to the CPU; only tensors and plain values are accepted.

    Args:
        keys: that must be in it.

    Raises:
        NiftyFormerError: missing, not the file that was written, or holding something else.
    """
    content = read_entered(path).content
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise damaged(path, ValueError("it holds something else than weights and plain values")) from None
    except UNREADABLE as error:
        raise damaged(path, error) from error
    if not isinstance(state, dict) or any(key not in state for key in keys):
        raise damaged(path, ValueError(f"it does not hold {', '.join(keys) or 'a state'}"))
    return state


def write_trained(files: ModelFolder, stopped: str) -> None:
    """Record that the training has ended, why, and with which weights."""
    content = {"best": _digest_of_best(files), "stopped": stopped}
    write_entered(files.trained, json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_best(files: ModelFolder) -> dict[str, Any]:
    """What best.pt holds (`BEST_STATE`), of a training that has ended.

    Raises:
        NiftyFormerError: as `read_checkpoint`, or the training has not ended, or did with other weights.
    """
    if not files.trained.is_file():
        raise NiftyFormerError(
            f"the training in {files.root} has not ended, or was of an earlier version: start it again, and it goes on "
            "from the last finished epoch."
        )
    ended = read_json(files.trained)
    state = read_checkpoint(files.best, BEST_STATE)
    if ended.get("best") != _digest_of_best(files):
        raise damaged(files.best, ValueError(f"it is not the one that {files.trained.name} names"))
    return state


def _digest_of_best(files: ModelFolder) -> str | None:
    return entered_digests([files.best], files.root).get(files.best.name)


def why_not_go_on(files: ModelFolder, card: Mapping[str, Any]) -> list[str]:
    """Why a training cannot go on from what is in the folder, in words; nothing where it can, or is yet to begin."""
    if not files.last.is_file():
        return []
    try:
        state = read_checkpoint(files.last, STATE)
        if state["history"]:
            read_checkpoint(files.best, BEST_STATE)
    except NiftyFormerError as error:
        return [str(error)]
    return changes(state["card"], card)
