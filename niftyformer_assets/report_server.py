"""The reports of all workspaces over HTTP on loopback, so that links in the web UI open them: browsers follow none from
a web page to a file.

Read-only, and no path is taken from a request: an address names a workspace and an experiment, as such names are
written, and one of five pages or a date.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from niftyformer_assets.settings import NAME, Settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import is_file
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets.web import HOST

if TYPE_CHECKING:
    from starlette.applications import Starlette

PAGES = ("report.html", "tearsheet.html")
STUDY_PAGE = "study.html"
LOG_PAGE = "experiments.html"
ORDERS_FILE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.(html|csv)")
# How often a port is tried that another process listens at.
AGAIN_S = 5.0
# The pages hold everything that they show.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}


def report_address(settings: Settings, experiment: str) -> str:
    """Where the report of an experiment opens while `niftyformer reports` runs."""
    return f"{_address(settings)}/{settings.workspace.name}/{experiment}/{PAGES[0]}"


def study_address(settings: Settings, study: str) -> str:
    """Where the report of a study opens."""
    return f"{_address(settings)}/{settings.workspace.name}/studies/{study}/{STUDY_PAGE}"


def comparison_address(settings: Settings) -> str:
    """Where the comparison of the workspace opens."""
    return f"{_address(settings)}/{settings.workspace.name}/comparison.html"


def log_address(settings: Settings) -> str:
    """Where the log of experiments opens."""
    return f"{_address(settings)}/{settings.workspace.name}/{LOG_PAGE}"


def orders_address(settings: Settings, session: str) -> str:
    """Where the orders after a session, an ISO date, open."""
    return f"{_address(settings)}/{settings.workspace.name}/orders/{session}.html"


def _address(settings: Settings) -> str:
    return f"http://{HOST}:{settings.reports_port}"


def create_app(data: Path) -> Starlette:
    """The pages below a folder that holds workspaces.

    `/WORKSPACE/comparison.html`, `/WORKSPACE/experiments.html`, `/WORKSPACE/EXPERIMENT/report.html` and
    `.../tearsheet.html`, `/WORKSPACE/studies/STUDY/study.html`, and `/WORKSPACE/orders/DATE.html` with its `DATE.csv`;
    anything else is 404.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import FileResponse, PlainTextResponse, Response
    from starlette.routing import Route

    def page(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        found = page_of(data, page=name, **request.path_params)
        if found is None:
            return PlainTextResponse(
                "there is no such report: materialize backtest_report, study_report or model_comparison\n", 404
            )
        return FileResponse(found, headers=_HEADERS)

    return Starlette(
        routes=[
            Route("/{workspace}/comparison.html", page),
            Route(f"/{{workspace}}/{LOG_PAGE}", page),
            Route(f"/{{workspace}}/studies/{{study}}/{STUDY_PAGE}", page),
            Route("/{workspace}/orders/{orders}", page),
            *(Route(f"/{{workspace}}/{{experiment}}/{name}", page) for name in PAGES),
        ],
        # A page of another site that has its name point here is not answered.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


def page_of(
    data: Path,
    page: str,
    workspace: str,
    experiment: str | None = None,
    study: str | None = None,
    orders: str | None = None,
) -> Path | None:
    """The file of a page, or None where none can be read; links that lead out of `data` are not followed."""
    if not all(NAME.fullmatch(name) for name in (workspace, experiment, study) if name is not None):
        return None
    folder = Workspace(data, workspace)
    path = folder.comparison_html if experiment is None else folder.experiment(experiment).backtest / page
    if page == LOG_PAGE:
        path = folder.experiment_log_html
    if orders is not None:
        if not ORDERS_FILE.fullmatch(orders):
            return None
        path = folder.orders / orders
    if study is not None:
        path = folder.study(study).report / page
    # As `resolve`, which does not take a link to itself.
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(data)):
        return None
    try:
        if not is_file(real):
            return None
        with real.open("rb"):
            return real
    except (NiftyFormerError, OSError):  # of another user
        return None


def serve_reports(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve the reports until the process is ended; where the port is taken, once it is free."""
    import uvicorn

    listener = _listener(settings.reports_port, say)
    say(f"reports at {_address(settings)}/{settings.workspace.name}/comparison.html, read-only")
    config = uvicorn.Config(create_app(settings.data), lifespan="off", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


def _listener(port: int, say: Callable[[str], None]) -> socket.socket:
    told = False
    while True:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
            return listener
        except PermissionError as error:
            listener.close()
            raise NiftyFormerError(
                f"port {port} of {HOST} cannot be listened on ({error.strerror}): set NIFTYFORMER_REPORTS_PORT to "
                "another one above 1023"
            ) from None
        except OSError as error:
            listener.close()
            if not told:
                say(
                    f"reports: port {port} is taken ({error.strerror}), which is well where it is another web UI of "
                    "this folder; it is tried again. Another port: NIFTYFORMER_REPORTS_PORT"
                )
            told = True
            time.sleep(AGAIN_S)
