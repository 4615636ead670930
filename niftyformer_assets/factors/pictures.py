"""Pictures of information coefficients, as PNG bytes."""

from __future__ import annotations

import numpy as np

from niftyformer_assets.factors.rank_ic import rank_correlations
from niftyformer_assets.factors.selection import FactorSelection
from niftyformer_assets.pictures import figure, legend, png
from niftyformer_assets.words import counted

KEPT, LEFT_OUT = "#1f6f8b", "#c8ccd0"


def ic_ranking(selection: FactorSelection, most: int = 25) -> bytes:
    """The factors with the largest |mean coefficient| over the training sessions, with two standard errors."""
    top = selection.summary.head(most)
    mean = top[f"ic_mean_{selection.judged_by}"].to_numpy()
    error = np.abs(mean / top[f"ic_t_nw_{selection.judged_by}"].to_numpy())
    drawn = figure(8, 1.2 + 0.22 * len(top))
    plot = drawn.add_subplot()
    colours = [KEPT if kept else LEFT_OUT for kept in top["selected"]]
    plot.barh(range(len(top)), mean, xerr=2 * np.nan_to_num(error), color=colours, ecolor="#555555", capsize=2)
    plot.set_yticks(range(len(top)), list(top.index), fontsize=7)
    plot.set_ylim(len(top) - 0.5, -0.5)
    plot.axvline(0, color="black", linewidth=0.8)
    plot.set_xlabel(f"mean daily IC on the training sessions, {selection.judged_by_in_words}, ± 2 standard errors")
    plot.set_title(f"{len(selection.selected)} of {counted(len(selection.summary), 'factor')} selected (dark)")
    return png(drawn)


def cumulative_ic(selection: FactorSelection, dates: np.ndarray, train: slice, best: int = 8) -> bytes:
    """Running sums of the daily coefficients of the strongest factors; training sessions end at the line."""
    daily = selection.daily
    drawn = figure(9, 5)
    plot = drawn.add_subplot()
    names = [name for name in selection.summary.index if name in selection.selected][:best]
    for name in names:
        values = daily.pearson[daily.place(selection.judged_by), daily.names.index(name)]
        plot.plot(dates, np.cumsum(np.nan_to_num(values)), linewidth=1.2, label=name)
    plot.axvline(dates[train.stop - 1], color="black", linestyle="--", linewidth=1)
    plot.text(dates[train.stop - 1], 0.98, " not used for the selection →", va="top", fontsize=8,
              transform=plot.get_xaxis_transform())  # fmt: skip
    plot.axhline(0, color="black", linewidth=0.6)
    plot.set_xlabel("session")
    plot.set_ylabel(f"sum of daily IC, {selection.judged_by_in_words}")
    plot.set_title("Cumulative IC of the best selected factors")
    legend(drawn, columns=8)
    drawn.autofmt_xdate()
    return png(drawn)


# Of more factors the names would need a picture as large as a wall, which takes half a minute to draw.
MOST_NAMED = 60
# A picture of averages needs no more sessions than this.
CORRELATED_SESSIONS = 250


def factor_correlations(factors: np.ndarray, names: tuple[str, ...], train: slice, kind: str = "selected") -> bytes:
    """Average daily rank correlation between factors [F, T, N] over the training sessions."""
    together = average_rank_correlation(factors[:, train])
    named = len(names) <= MOST_NAMED
    drawn = figure(2.5 + 0.35 * min(len(names), 30), 2 + 0.35 * min(len(names), 30))
    plot = drawn.add_subplot()
    image = plot.imshow(together, vmin=-1, vmax=1, cmap="RdBu_r")
    if named:
        plot.set_xticks(range(len(names)), list(names), rotation=90, fontsize=8 if len(names) <= 30 else 5)
        plot.set_yticks(range(len(names)), list(names), fontsize=8 if len(names) <= 30 else 5)
    else:
        plot.set_xlabel(f"{len(names)} factors in the order of their names, {names[0]} to {names[-1]}", fontsize=8)
    if len(names) <= 20:
        for row, column in np.ndindex(together.shape):
            value = float(together[row, column])
            if np.isnan(value):
                continue
            shade = "white" if abs(value) > 0.6 else "black"
            plot.text(column, row, f"{np.round(value, 1) + 0.0:.1f}", ha="center", va="center", fontsize=6, color=shade)
    plot.set_title(f"Rank correlation of the {kind} factors, training sessions", fontsize=9)
    drawn.colorbar(image, ax=plot, shrink=0.8)
    return png(drawn)


def average_rank_correlation(factors: np.ndarray) -> np.ndarray:
    """[F, F] from [F, T, N]: Spearman across the stocks of each session that have all factors, averaged.

    Of many sessions CORRELATED_SESSIONS are looked at, evenly apart. Ties share their mean rank. Sessions on which one
    of two factors is constant say nothing of them; NaN without any.
    """
    total, sessions = np.zeros((2, len(factors), len(factors)))
    there = factors.shape[1]
    for session in np.unique(np.linspace(0, there - 1, min(there, CORRELATED_SESSIONS)).astype(int)):
        found = rank_correlations(factors[:, session], min_stocks=3)
        total += np.nan_to_num(found)
        sessions += np.isfinite(found)
    return np.divide(total, sessions, out=np.full(total.shape, np.nan), where=sessions > 0)
