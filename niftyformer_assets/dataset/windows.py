"""Samples as views: what the model looks at, what it predicts, and on which sessions.

A sample made on session t looks at sessions t-T1+1 … t and predicts the T2 labels of t, as
`factors.labels` defines them: with the published ones the returns of t+1 … t+T2. Samples of
consecutive sessions are one strided view of the [T, ...] array; nothing is copied.

A window may reach back into the sessions before its part, because what it sees was known by then; the
returns that its labels are made of are all of the part. Within a part, neighbouring samples share
sessions: the return of session s is the first label of the sample made on s-1 and the second of that
made on s-2.

Only NumPy is needed, so a bare training machine has this module too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from niftyformer_assets.dataset.settings import WindowSettings
from niftyformer_assets.market.split import PARTS, Split
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.words import counted


def sliding_windows(array: np.ndarray, length: int) -> np.ndarray:
    """Every window of `length` sessions of an array [T, ...], as a read-only view.

    Returns:
        [T-length+1, length, ...]; window w holds sessions w … w+length-1.

    Raises:
        NiftyFormerError: fewer sessions than a window.
    """
    if len(array) < length:
        raise NiftyFormerError(
            f"{counted(len(array), 'session is', 'sessions are')} fewer than a window of {length}: "
            "lower windows.input_sessions, or give the experiment more sessions."
        )
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(array, length, axis=0), -1, 1)


@dataclass(frozen=True)
class Samples:
    """The samples made on the sessions start … stop-1, in order (S of them).

    start, stop: session indices into the experiment's T sessions.
    windows: the lengths T1 and T2.
    """

    start: int
    stop: int
    windows: WindowSettings

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def made_on(self) -> np.ndarray:
        """Index of the session each sample is made on, the last one it sees: int [S]."""
        return np.arange(self.start, self.stop)

    @property
    def known_on(self) -> np.ndarray:
        """Indices of the sessions on which each sample's labels are known: int [S, T2]; past T-1 where to come."""
        return self.made_on[:, None] + self.windows.known_after

    def inputs(self, array: np.ndarray) -> np.ndarray:
        """What each sample sees of an array [T, ...]: a view [S, T1, ...]."""
        first = self.start - self.windows.input_sessions + 1
        return sliding_windows(array, self.windows.input_sessions)[first : first + len(self)]

    def enough_returns(self, valid: np.ndarray) -> np.ndarray:
        """Which stocks take part in which sample.

        A stock with fewer than half of a window's returns gets no prediction and is no key for
        others.

        Args:
            valid: bool [T, N], where there is a return.

        Returns:
            bool [S, N].
        """
        length = self.windows.input_sessions
        before = np.concatenate([np.zeros((1, valid.shape[1]), dtype=np.int64), np.cumsum(valid, axis=0)])
        count = before[self.start + 1 : self.stop + 1] - before[self.start + 1 - length : self.stop + 1 - length]
        return 2 * count >= length

    def parts(self, split: Split) -> np.ndarray:
        """The part of the session on which each label is known: text [S, T2].

        Sessions past the end are `later`; one that lies between two parts has an empty text.
        """
        part = np.full(split.later.stop, "", dtype="U10")
        for name in PARTS:
            part[getattr(split, name)] = name
        return np.append(part, ["later"] * max(self.windows.known_after))[self.known_on]

    def made_on_dates(self, dates: np.ndarray) -> np.ndarray:
        """datetime64[D] [S], given the experiment's T sessions."""
        return dates[self.start : self.stop]

    def predicted_dates(self, dates: np.ndarray, to_come: np.ndarray | None = None) -> np.ndarray:
        """The dates on which each sample's labels are known: datetime64[D] [S, T2].

        Args:
            dates: the experiment's T sessions.
            to_come: the exchange's next sessions after them, where a calendar is at hand; without
                it the next weekdays stand in, which are wrong where a holiday comes.
        """
        return following(dates, max(self.windows.known_after), to_come)[self.known_on]


def following(dates: np.ndarray, count: int, to_come: np.ndarray | None = None) -> np.ndarray:
    """Sessions with `count` more appended: those of `to_come`, then weekdays."""
    known = np.asarray([] if to_come is None else to_come, dtype="datetime64[D]")
    known = known[known > dates[-1]][:count]
    last = known[-1] if len(known) else dates[-1]
    weekdays = np.busday_offset(last, np.arange(1, count - len(known) + 1), roll="backward")
    return np.concatenate([dates, known, weekdays]).astype("datetime64[D]")


def samples(split: Split, windows: WindowSettings) -> dict[str, Samples]:
    """The samples of each part, for training and for measuring: all their labels lie in the part.

    Raises:
        NiftyFormerError: train, validation or test has no sample. `later` may have none.
    """
    parts = {}
    for name in PARTS:
        place: slice = getattr(split, name)
        made = [label.wholly_in(place) for label in windows.labels]
        start = max(windows.input_sessions - 1, *(each.start for each in made))
        stop = max(min(each.stop for each in made), start)
        if start == stop and name != "later":
            raise NiftyFormerError(
                f"the {name} part has {counted(place.stop - place.start, 'session')}, too few for a sample of "
                f"{counted(windows.input_sessions, 'session')} in and {max(windows.known_after)} out: "
                f"lengthen it, or shorten windows.input_sessions or what windows predict."
            )
        parts[name] = Samples(start, stop, windows)
    return parts


def inference_samples(sessions: int, windows: WindowSettings) -> Samples:
    """A sample for every one of the T sessions on which a whole window has been seen.

    The last ones predict sessions that are still to come. `Samples.parts` says which prediction
    belongs to which part.

    Raises:
        NiftyFormerError: fewer sessions than a window.
    """
    if sessions < windows.input_sessions:
        raise NiftyFormerError(
            f"{counted(sessions, 'session is', 'sessions are')} fewer than a window of {windows.input_sessions}: "
            "lower windows.input_sessions, or give the experiment more sessions."
        )
    return Samples(windows.input_sessions - 1, sessions, windows)
