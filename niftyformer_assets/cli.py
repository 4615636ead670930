"""The command line of `niftyformer`: `init`, `run`, `study`, `prune`, `inspect`, `universe`, `candles` and others."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from niftyformer_assets.exchange.fault_words import usage
from niftyformer_assets.experiments.overrides import parse_overrides
from niftyformer_assets.extras import torch_or_one_line
from niftyformer_assets.market.servers import KITE_ROOT, LOGIN_PORT
from niftyformer_assets.plain_output import allow_any_encoding
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.store.errors import NiftyFormerError, disk_or_one_line


class _Commands(TyperGroup):
    """The commands, whatever the encoding of the terminal."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        allow_any_encoding()
        return super().main(*args, **kwargs)


# What several commands can be told, and which setting it is.
Replay = Annotated[Path | None, typer.Option(help="A folder of candles instead of Zerodha, in any vendor's format.")]
IndexList = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="NSE's constituent list that goes with --replay, a table of membership or of sectors, or a folder of "
        "them; as often as wanted.",
    ),
]
Benchmark = Annotated[Path | None, typer.Option(help="NIFTY 50 candles, CSV or Parquet.")]
AdjustedClose = Annotated[
    bool,
    typer.Option(
        "--adjusted-close", help="Multiply the prices of --replay by its Adj Close / Close (dividends taken out)."
    ),
]
WorkspaceName = Annotated[str | None, typer.Option("--workspace", help="Where artifacts go: data/WORKSPACE.")]

app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    # Help is shown as it is written: `OLD:NEW:` is no emoji.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"niftyformer {version('niftyformer')}")
        raise typer.Exit


@app.callback()
def niftyformer(
    _asked: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """From Zerodha's daily candles to a Multitask-Stockformer and an honest backtest."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Made if it is not there; what lies in it stays as it is.")],
) -> None:
    """Lay down a folder to work in: experiments, studies, reference tables and Dagster's settings."""
    with one_line_errors():
        from niftyformer_assets.starting import lay_down

        new, other = lay_down(folder)
        for path in other:
            typer.echo(f"{path} is another than the package has, and stays")
        typer.echo(
            f"{len(new)} files laid down in {folder}; go on there:\n"
            f"  cd {shlex.quote(str(folder))}\n"
            "  niftyformer run --experiment demo\n"
            "  niftyformer reports &\n"
            "  DAGSTER_HOME=$(niftyformer home) dagster dev -w workspace.yaml -h 127.0.0.1"
        )


@app.command()
def run(
    experiment: Annotated[str, typer.Option(help="A file's name in data/experiments, without .yaml.")],
    replay: Replay = None,
    index_list: IndexList = None,
    benchmark: Benchmark = None,
    adjusted_close: AdjustedClose = False,
    workspace_name: WorkspaceName = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Another value than the file's, with results of its own; as often as wanted.",
        ),
    ] = None,
) -> None:
    """Materialize the whole graph for one experiment, from candles to the backtest report."""
    with one_line_errors():
        settings = _settings_with(
            replay=replay,
            index_list=index_list,
            benchmark=benchmark,
            adjusted_close=adjusted_close,
            workspace_name=workspace_name,
            overrides=parse_overrides(override or []),
        )
        from niftyformer_assets.defs.run import run_experiment

        run_experiment(settings, experiment)


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="A file's name in data/studies, without .yaml.")],
    parallel: Annotated[
        int, typer.Option(min=1, max=64, metavar="NUMBER", help="Experiments made at a time; a GPU trains one.")
    ] = 1,
    replay: Replay = None,
    index_list: IndexList = None,
    benchmark: Benchmark = None,
    adjusted_close: AdjustedClose = False,
    workspace_name: WorkspaceName = None,
) -> None:
    """Make every window, seed and point of a study that is not finished, and judge them together."""
    with one_line_errors():
        settings = _settings_with(
            replay=replay,
            index_list=index_list,
            benchmark=benchmark,
            adjusted_close=adjusted_close,
            workspace_name=workspace_name,
        )
        from niftyformer_assets.defs.run_study import run_study

        run_study(settings, name, parallel)


@app.command()
def prune(
    removing: Annotated[bool, typer.Option("--remove", help="Remove what is listed.")] = False,
    workspace_name: WorkspaceName = None,
) -> None:
    """List what lies in the workspace and is of no experiment or study any more; with --remove, remove it."""
    with one_line_errors():
        from niftyformer_assets.pruning import remove, unused

        settings = _settings_with(workspace_name=workspace_name)
        found = unused(settings)
        for each in found:
            typer.echo(f"{each.freed / 1e6:9.1f} MB  {each.path}: {each.why}")
        total = f"{sum(each.freed for each in found) / 1e6:.1f} MB"
        if not found:
            typer.echo(f"nothing in {settings.workspace.root} is unused")
        elif removing:
            remove(settings, found)
            typer.echo(f"removed, {total} freed")
        else:
            typer.echo(f"{total} would be freed: niftyformer prune --remove")


@app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder of candles, as for --replay.")],
    index_list: IndexList = None,
    adjusted_close: AdjustedClose = False,
) -> None:
    """Say what would be read of a folder of candles: its format, symbols, sessions, and what is suspicious."""
    with one_line_errors():
        from rich.console import Console

        from niftyformer_assets.inspection import inspect_folder, show

        # Its own workspace, whatever the environment's is: nothing is written.
        settings = _settings_with(
            replay=folder, index_list=index_list, adjusted_close=adjusted_close, workspace_name="replay"
        )
        inspection = inspect_folder(settings)
        show(inspection, Console())
        if inspection.refused is not None:
            raise inspection.refused


@app.command()
def universe() -> None:
    """Fetch NSE's lists of the indices that experiments ask for and make the universe: symbols for the web UI."""
    with one_line_errors():
        from niftyformer_assets.defs.run import run_reference

        run_reference(read_settings())


@app.command()
def candles(
    symbols: Annotated[list[str] | None, typer.Argument(help="Only these; all of the workspace's without any.")] = None,
    replay: Replay = None,
    index_list: IndexList = None,
    adjusted_close: AdjustedClose = False,
    workspace_name: WorkspaceName = None,
) -> None:
    """Bring the candles up to date, asking only for what is missing."""
    with one_line_errors():
        settings = _settings_with(
            replay=replay, index_list=index_list, adjusted_close=adjusted_close, workspace_name=workspace_name
        )
        from niftyformer_assets.defs.run import run_candles

        run_candles(settings, symbols or [])


@app.command()
def login(
    port: Annotated[int, typer.Option(help="Port of the redirect URL that is set in the Kite app.")] = LOGIN_PORT,
) -> None:
    """Log in to Zerodha in the browser and keep the access token until 06:00 IST."""
    with one_line_errors():
        from niftyformer_assets.market.login import LOGIN_PAGE, redirect_url
        from niftyformer_assets.market.login import login as log_in

        settings = read_settings()
        if not settings.kite_api_key or not settings.kite_api_secret:
            raise NiftyFormerError(
                "KITE_API_KEY and KITE_API_SECRET are not set: create an app at https://developers.kite.trade with "
                f"the redirect URL {redirect_url(port)}, and put both into the environment or into .env"
            )
        page = LOGIN_PAGE if settings.kite_root == KITE_ROOT else f"{settings.kite_root}/connect/login"
        token = log_in(
            settings.kite_api_key,
            settings.kite_api_secret.get_secret_value(),
            settings.token_file,
            root=settings.kite_root,
            login_page=page,
            port=port,
            open_page=_open_page,
        )
        typer.echo(
            f"logged in; the access token holds until {token.expires:%Y-%m-%d %H:%M} IST ({settings.token_file})"
        )
        if settings.token_environment:
            typer.echo("KITE_ACCESS_TOKEN is set and is used instead: remove it from the environment or from .env")


@app.command()
def retrain() -> None:
    """Write the experiment in use as one of its own with the same settings and the latest window, to be run."""
    with one_line_errors():
        from niftyformer_assets.experiments.retraining import retraining_due

        name, path = retraining_due(read_settings())
        typer.echo(f"{path}\nnow train it, and read what the check beside_the_model_in_use says of it:")
        typer.echo(f"  niftyformer run --experiment {name}")


@app.command()
def alert(
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message, and say to which kinds of service.")
    ] = False,
) -> None:
    """Say what would be told to whom by NIFTYFORMER_ALERTS, and send nothing; with --test, send a test message."""
    with one_line_errors():
        from niftyformer_assets.defs.automation.alerts import say_what_is_due, send_trial

        settings = read_settings()
        if test:
            typer.echo(f"a test message was taken by: {send_trial(settings)}")
            return
        from niftyformer_assets.defs.resources import CandleSource
        from niftyformer_assets.defs.run import dagster_home

        with dagster_home(settings) as instance:
            say_what_is_due(instance, settings, CandleSource(settings), typer.echo)


@app.command()
def reports() -> None:
    """Serve the reports on this machine, read-only, for the links in the web UI."""
    with one_line_errors():
        from niftyformer_assets.report_server import serve_reports

        serve_reports(read_settings(), typer.echo)


@app.command()
def home() -> None:
    """Say where Dagster's home of the active workspace is, for DAGSTER_HOME."""
    with one_line_errors():
        from niftyformer_assets.defs.home import usable_home

        typer.echo(usable_home(read_settings()))


@app.command()
def worker(
    queue: Annotated[str, typer.Argument(help="default, gpu (on the machine with the GPU) or kite (on one machine).")],
    at_a_time: Annotated[int | None, typer.Option(min=1, max=256, metavar="NUMBER", help="Steps at a time.")] = None,
) -> None:
    """Make the steps of runs that come to a queue, where runs are spread over machines (docs/scale.md)."""
    with one_line_errors():
        from niftyformer_assets.defs.workers import work

        work(read_settings(), queue, at_a_time)


@app.command()
def exchange(
    port: Annotated[int, typer.Option(help="Where it listens on 127.0.0.1.")] = 8720,
    replay: Annotated[Path | None, typer.Option(help="Serve this folder of candles, in any vendor's format.")] = None,
    index_list: IndexList = None,
    adjusted_close: AdjustedClose = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help=usage()),
    ] = None,
) -> None:
    """Run the simulated exchange by itself, to try things out against it."""
    with one_line_errors():
        from niftyformer_assets.exchange.clock import wall_clock
        from niftyformer_assets.exchange.fault_words import parse_faults
        from niftyformer_assets.exchange.server import RunningExchange, serve
        from niftyformer_assets.sources import replayed, simulated_market

        settings = _settings_with(replay=replay, index_list=index_list, adjusted_close=adjusted_close)
        if not replay:
            settings = settings.model_copy(update={"made_up_end": wall_clock().date()})
        faults = parse_faults(fault or [])

        def announce(running: RunningExchange) -> None:
            typer.echo(
                f"the simulated exchange listens at {running.url}; stop it with Ctrl-C\n"
                "to use it like Zerodha, in another terminal:\n"
                "  export NIFTYFORMER_WORKSPACE=tryout "
                f"KITE_API_KEY={running.api_key} KITE_API_SECRET={running.api_secret}\n"
                f"  export NIFTYFORMER_KITE_ROOT={running.url} NIFTYFORMER_INDEX_LIST_ROOT={running.url}\n"
                "  niftyformer login && niftyformer universe && make dev\n"
                "other faults from now on, {} for none; and what has been asked for:\n"
                f"  curl -X POST {running.url}/faults -d '{{\"too_many_requests\": 0.2}}'\n"
                f"  curl {running.url}/traffic"
            )

        found = replayed(settings) if settings.source == "replay" else None
        for line in () if found is None else (*found.said, *found.warnings):
            typer.echo(line)
        market = simulated_market(settings) if found is None else found.market
        serve(market, port=port, announce=announce, faults=faults, now=wall_clock)


def _settings_with(**given: Any) -> Settings:
    """The settings of the environment, and instead of its values those that are given on the command line."""
    return read_settings(**{key: value for key, value in given.items() if value})


def _open_page(address: str) -> None:
    import webbrowser

    # Said in any case: over ssh, a browser may well be started where nobody sees it.
    typer.echo(f"sign in on the page that opens; if none does, open it in a browser on this machine:\n  {address}")
    webbrowser.open(address)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a person can mend is said in one line, with exit status 1; the rest keeps its traceback."""
    try:
        with disk_or_one_line(), torch_or_one_line():
            yield
    except NiftyFormerError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.secho("interrupted: what was finished is kept; start it again to go on", err=True)
        sys.stdout.flush()
        # At once: a thread may wait for a lock that the interruption left taken, and would keep the process.
        os._exit(130)
