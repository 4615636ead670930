"""The section of the report that says what the portfolio is exposed to, and what is left without it."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.portfolio.evidence.exposure import ACTIVE, EXPLAINED, LEFT, PREDICTED, REST, ExposureSplit
from niftyformer_assets.portfolio.formatting import NONE, count, number, percent
from niftyformer_assets.portfolio.report.page import Picture, Section, Table
from niftyformer_assets.portfolio.report.pictures import exposures as pictures
from niftyformer_assets.portfolio.report.sections.traded import Traded


def exposures(evidence: Traded) -> Section | None:
    """Is it skill, or a tilt to something known? None where no exposure is looked at."""
    split = evidence.exposure_split
    if split is None or evidence.exposures is None:
        return None
    taken_out, known = evidence.result.strategy.neutralise, " and ".join(evidence.exposures.names)
    said = (
        f"Taken out of the scores, session by session: {', '.join(taken_out)}."
        if taken_out
        else f"Nothing is taken out of the scores; what {known} explain of them is shown."
    )
    ic = split.scores.set_index("scores")["rank_ic"]
    earned = split.returns.set_index("part")["mean"]
    words = (
        f"Of the mean rank IC of {number(ic[PREDICTED], 3, signed=True)} on the step that can be traded, "
        f"{number(ic[LEFT], 3, signed=True)} is left without {known}. The holdings "
        f"earned {percent(earned[ACTIVE], signed=True)} a year above the universe before costs: "
        f"{percent(earned[EXPLAINED], signed=True)} by exposures, {percent(earned[REST], signed=True)} is left."
    )
    return Section(
        "Exposures",
        (said, words),
        (
            Picture(
                pictures.exposures_picture(evidence.result.dates, split.held, tuple(evidence.exposures.numbers)),
                "What the holdings are exposed to at each close, against the universe.",
            ),
            _of_scores(split),
            _of_returns(split),
        ),
    )


def _of_scores(split: ExposureSplit) -> Table:
    rows = [
        (
            str(row["scores"]),
            _with_t(number(row["rank_ic"], 3, signed=True), row["t"]),
            NONE if row["scores"] == PREDICTED else _with_t(number(row["apart"], 3, signed=True), row["apart_t"]),
            count(int(row["sessions"])),
        )
        for row in split.scores.to_dict("records")
    ]
    return Table(
        ("scores", "rank IC (t)", "as predicted less it (t)", "sessions"),
        rows,
        caption="Rank IC on the step that is traded: of the model's scores, of the residual of their rank after the "
        "session's regression on the ranks of the exposures, of what the strategy ranks, and of each exposure by "
        "itself. t is by Newey and West.",
    )


def _of_returns(split: ExposureSplit) -> Table:
    held = {name: float(np.nanmean(series)) for name, series in split.held.items() if np.isfinite(series).any()}
    rows = [
        (
            str(row["part"]),
            number(held.get(str(row["part"])), 2, signed=True) if str(row["part"]) in held else NONE,
            _with_t(percent(row["mean"], signed=True), row["t"]),
            count(int(row["sessions"])),
        )
        for row in split.returns.to_dict("records")
    ]
    return Table(
        ("part", "mean exposure of the holdings", "return a year (t)", "sessions"),
        rows,
        caption="What the holdings earned from close to close above the equally weighted universe, before costs and "
        "without cash. Each session's returns are regressed on the ranks of the exposures: what is fitted is theirs, "
        "the rest is left, and both add up. An exposure is the mean rank of the holdings less the universe's, from "
        "−0.5 to 0.5; of groups the share of the holdings that is in other groups than the universe's.",
    )


def _with_t(value: str, t: float) -> str:
    return f"{value} ({number(t, 1)})" if value != NONE and np.isfinite(t) else value
