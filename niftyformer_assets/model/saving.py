"""The files of each epoch, written while the next one is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from niftyformer_assets.model.watch import Metrics, Observer


class Saver:
    """Writes one epoch at a time beside the training, and tells the observers once it is safely on disk.

    A context: at its end, however it comes, what was begun has been written.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="saving")
        self._pending: Future[Metrics] | None = None

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.shutdown(wait=True)
        lost = self._pending.exception() if self._pending is not None else None
        if lost is not None:
            raise lost from error

    def save(self, write: Callable[[], Metrics]) -> None:
        """Begin to write an epoch; `write` returns its figures. The one before must have been waited for."""
        self._pending = self._writer.submit(write)

    def look(self) -> None:
        """Tell of the last epoch if it is written by now."""
        if self._pending is not None and self._pending.done():
            self.wait()

    def wait(self) -> None:
        """Wait until the last epoch is written, and tell of it.

        Raises:
            NiftyFormerError: it could not be written.
        """
        if self._pending is None:
            return
        written, self._pending = self._pending, None
        metrics = written.result()
        for observer in self._observers:
            observer.epoch(metrics)
