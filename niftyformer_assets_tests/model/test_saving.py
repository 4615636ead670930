"""The files of an epoch are written beside the next one, and nobody is told before they are there."""

from __future__ import annotations

import threading

import pytest

from niftyformer_assets.model.saving import Saver
from niftyformer_assets.model.watch import Metrics
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.model.each_epoch import EachEpoch


def test_an_epoch_is_told_once_it_is_written() -> None:
    told: list[float] = []
    may_end, written = threading.Event(), threading.Event()

    def write() -> Metrics:
        may_end.wait()
        written.set()
        return {"epoch": 1.0}

    with Saver([EachEpoch(lambda metrics: told.append(metrics["epoch"]))]) as saver:
        saver.save(write)
        saver.look()
        assert told == [] and not written.is_set()
        may_end.set()
        saver.wait()
        assert told == [1.0] and written.is_set()
        saver.wait()
        saver.look()
        assert told == [1.0]


def test_what_was_begun_is_written_however_the_training_ends() -> None:
    written: list[int] = []

    def write() -> Metrics:
        written.append(1)
        return {}

    with pytest.raises(KeyboardInterrupt), Saver([]) as saver:
        saver.save(write)
        raise KeyboardInterrupt
    assert written == [1]


def test_what_cannot_be_written_ends_the_training() -> None:
    def fails() -> Metrics:
        raise NiftyFormerError("the disk is full")

    told: list[object] = []
    with pytest.raises(NiftyFormerError, match="the disk is full"), Saver([EachEpoch(told.append)]) as saver:
        saver.save(fails)
        saver.wait()
    assert told == []


def test_a_write_that_failed_is_told_though_something_else_ended_the_training() -> None:
    def fails() -> Metrics:
        raise NiftyFormerError("the disk is full")

    with pytest.raises(NiftyFormerError, match="the disk is full") as caught, Saver([]) as saver:
        saver.save(fails)
        raise ValueError
    assert isinstance(caught.value.__cause__, ValueError)
