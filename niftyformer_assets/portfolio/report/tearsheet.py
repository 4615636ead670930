"""QuantStats' tear sheet, as an appendix: its figures follow its own definitions, not the report's."""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from niftyformer_assets.portfolio.backtest.returns import YEAR, session_returns
from niftyformer_assets.portfolio.evidence.gather import Evidence
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.store.atomic import write_text

CAVEATS = (
    "Its definitions differ from this report's: its CAGR leaves the risk-free rate out, its win rate leaves out "
    "sessions without a return, its information ratio is not annualised, and its drawdown table is blank where the "
    "strategy loses on the first session and never recovers."
)


def write_tearsheet(path: Path, evidence: Evidence, title: str) -> str:
    """Write the tear sheet and say in a sentence what came of it; the same evidence gives the same bytes.

    The benchmark is the first index, or equal weight where there is none, handed over as a series:
    given by name, QuantStats would download it.
    """
    path.unlink(missing_ok=True)
    result = evidence.result
    if not result.returns.any():
        return "No tear sheet: QuantStats cannot show a strategy that never had a return."
    name, nav = next(iter(evidence.indices.items()), (EQUAL_WEIGHT, evidence.equal_weight.nav))
    days = pd.DatetimeIndex(result.earning_dates.astype("datetime64[ns]"))
    ours = pd.Series(result.returns, index=days, name=title)
    theirs = pd.Series(session_returns(nav, result.strategy.trade_at), index=days, name=name)
    try:
        content = _tearsheet(ours, theirs, result.strategy.risk_free_rate, title)
    # A library's page is no reason to lose the report: whatever goes wrong in it is said instead.
    except Exception as error:
        logging.getLogger(__name__).warning("no tear sheet", exc_info=True)
        return f"No tear sheet: QuantStats stopped with {type(error).__name__}: {error}."
    write_text(path, content)
    return f"{path.name}, beside this file, is QuantStats' tear sheet against {name}. {CAVEATS}"


def _tearsheet(ours: pd.Series, theirs: pd.Series, rate: float, title: str) -> str:
    # Loaded here: it takes seconds. It draws through pyplot, which must not look for a display.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style = _style()
    before = set(pyplot.get_fignums())
    # It asks for a font that few machines have, and matplotlib says so each time.
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.ERROR)
    try:
        # It changes matplotlib's global style too.
        with (
            warnings.catch_warnings(),
            # The names of a drawing's parts are random unless salted.
            matplotlib.rc_context({**style, "svg.hashsalt": "tearsheet"}),
            tempfile.TemporaryDirectory() as folder,
        ):
            warnings.simplefilter("ignore")
            import quantstats

            quantstats.reports.html(
                ours,
                benchmark=theirs,
                rf=rate,
                title=title,
                output=str(Path(folder) / "tearsheet.html"),
                match_dates=False,
                periods_per_year=YEAR,
            )
            content = (Path(folder) / "tearsheet.html").read_text(encoding="utf-8")
        return re.sub(r"<dc:date>.*?</dc:date>", "", content)  # when it was drawn
    finally:
        fonts.setLevel(level)
        for figure in set(pyplot.get_fignums()) - before:
            pyplot.close(figure)


@cache
def _style() -> Any:
    """The style that QuantStats sets as it is loaded, which is once a process; the next sheet is to look the same."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        import quantstats  # noqa: F401

        return {name: value for name, value in matplotlib.rcParams.items() if not name.startswith("backend")}
