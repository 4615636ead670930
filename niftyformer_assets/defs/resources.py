"""What assets need from outside: somebody who answers the Kite client, a GPU, and an experiment to themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.experiments.files import find_experiment
from niftyformer_assets.market.calendar import IST, covered
from niftyformer_assets.market.servers import BACKOFF_S
from niftyformer_assets.settings import Settings
from niftyformer_assets.sources import (
    claim_for_live_candles,
    replayed,
    set_aside_candles_of_another_market,
    simulated_market,
)
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.holding import held
from niftyformer_assets.store.workspace import ExperimentFolder, Workspace

if TYPE_CHECKING:
    from niftyformer_assets.exchange.faults import Faults
    from niftyformer_assets.exchange.replay import Replay
    from niftyformer_assets.experiments.opened import OpenedExperiment
    from niftyformer_assets.market.asking import IngestSettings
    from niftyformer_assets.market.kite import KiteSession
    from niftyformer_assets.market.rate_limit import Pacer
    from niftyformer_assets.model.device import Device, Precision
    from niftyformer_assets.model.trained import TrainedThing

SIMULATED_PER_SECOND = 100.0


@dataclass(frozen=True)
class Connection:
    """An open connection to an exchange.

    session: logs in and returns a session of the Kite client; called when the first request is due,
        so that what needs no request needs no access token.
    pacer: keeps to Kite's limit, for all who use the same key.
    index_list_root: where NSE's constituent list is published.
    ingest: from when on candles are asked for, and how patiently.
    now: the time that decides which sessions are over; on the simulated exchange the morning after
        its last session, so that nothing is ever missing there because time goes by.
    said: what a person should know of a folder that is replayed.
    """

    session: Callable[[], KiteSession]
    pacer: Pacer
    index_list_root: str
    ingest: IngestSettings
    now: datetime
    said: tuple[str, ...] = ()


class CandleSource:
    """Zerodha, or the simulated exchange on loopback; the client is the same one."""

    def __init__(self, settings: Settings, faults: Faults | None = None, backoff_s: float = BACKOFF_S) -> None:
        """`faults` are those of the simulated exchange; none unless given."""
        self._settings = settings
        self._faults = faults
        self._backoff_s = backoff_s

    def check(self) -> Replay | None:
        """Refuse a source that cannot answer, before anything runs; a folder to replay is returned with what it is."""
        return replayed(self._settings) if self._settings.source == "replay" else None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for the time of the block; the simulated exchange runs that long.

        Raises:
            NiftyFormerError: no key, or a folder to replay that cannot be read.
        """
        if self._settings.is_live:
            yield self._live()
            return
        from niftyformer_assets.exchange.server import run_exchange
        from niftyformer_assets.market.kite import KiteSession
        from niftyformer_assets.market.rate_limit import Pacer

        replay = self.check()
        market = simulated_market(self._settings) if replay is None else replay.market
        aside = set_aside_candles_of_another_market(self._settings, market)
        if aside is not None:
            dg.get_dagster_logger().warning(f"candles of another source were moved to {aside}")
        dates = np.concatenate([candles.dates for candles in market.candles.values()])
        morning_after = datetime.combine(dates.max().item() + timedelta(days=1), time(9), tzinfo=IST)
        ingest = self._ingest(max(dates.min().item(), covered()[0]))
        # Kite's limit is for Kite: a folder of 500 stocks would take ten minutes of waiting.
        with run_exchange(market, faults=self._faults, historical_per_second=None) as exchange:
            yield Connection(
                session=lambda: KiteSession(
                    exchange.api_key, exchange.access_token(), root=exchange.url, timeout_s=ingest.timeout_s
                ),
                pacer=Pacer(self._settings.dagster_home / "pace", SIMULATED_PER_SECOND),
                index_list_root=exchange.url,
                ingest=ingest,
                now=morning_after,
                said=() if replay is None else (*replay.said, *replay.warnings),
            )

    def _live(self) -> Connection:
        from niftyformer_assets.market.kite import KiteSession
        from niftyformer_assets.market.login import find_token
        from niftyformer_assets.market.rate_limit import pacer_of

        settings, key = self._settings, self._settings.kite_api_key
        if key is None:
            raise NiftyFormerError("KITE_API_KEY is not set: put it into the environment or .env, see the README")
        claim_for_live_candles(settings)
        now, ingest = datetime.now().astimezone(), self._ingest(settings.history_start)
        return Connection(
            session=lambda: KiteSession(
                key,
                find_token(settings.token_file, now, settings.token_environment).value,
                root=settings.kite_root,
                timeout_s=ingest.timeout_s,
            ),
            pacer=pacer_of(key, settings.kite_root, ingest.requests_per_second),
            index_list_root=settings.index_list_root,
            ingest=ingest,
            now=now,
        )

    def _ingest(self, history_start: date) -> IngestSettings:
        from niftyformer_assets.market.asking import IngestSettings

        return IngestSettings(
            history_start=history_start,
            backoff_s=self._backoff_s,
            requests_per_second=self._settings.kite_requests_per_second,
            timeout_s=self._settings.kite_timeout_s,
            attempts=self._settings.kite_attempts,
        )


class Experiments:
    """The experiments that a run works on, each held until the run ends: another run would pull its files away."""

    def __init__(self, settings: Settings, until_the_end: ExitStack, run_id: str = "") -> None:
        self.settings = settings
        self._until_the_end = until_the_end
        self._run = f"run {run_id}" if run_id else ""
        self._taken: set[str] = set()

    def take(self, name: str) -> Experiment:
        """The settings of an experiment that is held from now on.

        Raises:
            NiftyFormerError: another process works on it, and the message says which; there is no such experiment; or
                candles or lists do not reach as far as the study that it is of.
        """
        if name not in self._taken:
            from niftyformer_assets.experiments.study_reach import require_reach_of

            require_reach_of(self.settings, name)
            self._until_the_end.enter_context(experiment_held(self.settings.workspace, name, self._run))
            self._taken.add(name)
        return find_experiment(self.settings, name)

    def folder(self, name: str) -> ExperimentFolder:
        """Where its artifacts lie."""
        return self.settings.workspace.experiment(name)

    def open(self, name: str) -> OpenedExperiment:
        """As `open_experiment`."""
        from niftyformer_assets.experiments.opened import open_experiment

        return open_experiment(self.settings.workspace, find_experiment(self.settings, name))


@dg.resource(required_resource_keys={"settings"})
def experiments(context: dg.InitResourceContext) -> Iterator[Experiments]:
    """`Experiments` of a run."""
    with ExitStack() as until_the_end:
        run_id = "" if context.run is None else context.run.run_id
        yield Experiments(context.resources.settings, until_the_end, run_id)


def experiment_held(workspace: Workspace, experiment: str, run: str = "") -> AbstractContextManager[None]:
    """Hold an experiment for the time of a block; within this process it may be held again.

    What other processes make in the same run is waited for.
    """
    what = f"experiment {experiment} of workspace {workspace.name}"
    return held(workspace.experiment_lock(experiment), what, run)


class GpuResource(dg.ConfigurableResource):
    """The device that trains.

    cpu_allowed: train on the CPU where there is no GPU; otherwise that is refused to what wants a GPU.
    """

    cpu_allowed: bool = False

    def chooser(self, thing: TrainedThing) -> Callable[[Precision], Device]:
        """What chooses the device that a model is trained on, and asked, in a precision.

        Raises, when it chooses:
            NiftyFormerError: the model wants a GPU, there is none, and the CPU is not allowed.
        """
        from niftyformer_assets.model.device import choose_device

        return partial(choose_device, "auto", require_gpu=thing.model.wants_gpu and not self.cpu_allowed)
