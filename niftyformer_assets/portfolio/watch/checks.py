"""What of the watch is worth a warning."""

from __future__ import annotations

from collections.abc import Mapping

from niftyformer_assets.finding import Finding
from niftyformer_assets.portfolio.watch.drift import Drift
from niftyformer_assets.portfolio.watch.sequence import Watched
from niftyformer_assets.words import counted

# So many factors may have drifted, or as many as in any stretch of training: they move together.
MOST_DRIFTED = 0.1
# So much more of all factors may be missing than in any stretch of training.
MORE_MISSING = 0.05
WORDS = {"rank_ic": "rank IC", "hit_rate": "hit rate", "turnover": "turnover"}
# More of it is nothing to be warned of.
GOOD_ABOVE = ("rank_ic", "hit_rate")


def alive(figures: Mapping[str, Watched], drift: Drift, sessions_since_training: int) -> Finding:
    """The figures are those of the backtest, and the factors those of training; a warning else."""
    wrong: dict[str, str] = {}
    told = []
    for name, of in figures.items():
        if of.before is None or not len(of.given):
            told.append(f"{WORDS[name]} is not judged yet")
            continue
        low, high = of.before
        beside = f"{of.mean[-1]:.3f} in {counted(len(of.given), 'session')}, in the backtest {low:.3f} to {high:.3f}"
        if of.below.any() or (of.above.any() and name not in GOOD_ABOVE):
            wrong[name] = f"{WORDS[name]} is not the backtest's: {beside}"
        else:
            told.append(f"{WORDS[name]} {beside}")
    factors, drifted = drift.table, drift.table.loc[drift.table["drifted"], "factor"].tolist()
    said = f"{len(drifted)} of {len(factors)} factors have drifted from training"
    if drift.share > max(MOST_DRIFTED, drift.most_in_training):
        often = f"in a stretch of training at most {drift.most_in_training:.0%} did from the rest"
        wrong["drift"] = f"{said}, {drifted[0]} the furthest; {often}"
    else:
        told.append(said)
    missing, before = (float(factors[name].mean()) for name in ("missing", "most_missing_in_training"))
    if missing > before + MORE_MISSING:
        wrong["missing"] = f"{missing:.0%} of the factors' values are missing, in training at most {before:.0%}"
    numbers: dict[str, float | str] = {
        "sessions_since_training": sessions_since_training,
        "drifted": len(drifted),
        "missing": missing,
        **{name: float(of.mean[-1]) for name, of in figures.items() if len(of.mean)},
        "wrong": ", ".join(wrong),
    }
    age = f"{counted(sessions_since_training, 'session')} since training"
    if wrong:
        return Finding(
            False, f"{'; '.join([*wrong.values(), *told])}; {age}. Look at it, and train the model again.", numbers
        )
    return Finding(True, f"{'; '.join(told)}; {age}.", numbers)
