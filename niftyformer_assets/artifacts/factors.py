"""Rows of `factors`: returns, panels, what is selected and neutralised."""

from __future__ import annotations

from niftyformer_assets.artifacts.rows import SCOPE, SCOPE_SECTIONS, Artifact, Read, row
from niftyformer_assets.factors.registry import FACTOR_SETS


def factor_rows(factor_sets: tuple[str, ...]) -> tuple[Artifact, ...]:
    panels = tuple(
        Read(f"{name}_panel", lambda experiment, name=name: experiment.factors.factor_set == name)  # type: ignore[misc]
        for name in factor_sets
    )
    return (
        row(
            "returns",
            "workspace",
            lambda place: (place.returns,),
            "factors/returns",
            {"csv"},
            "Daily returns, from `market_panel`: what all that is predicted is made of.\n\n"
            "`label.csv`: (close − previous close) / previous close [sessions × symbols], simple return, not percent; "
            "empty where there is none, as on the first session after a broken adjustment.",
            reads=("market_panel",),
        ),
        *(_panel(name) for name in factor_sets),
        row(
            "ic_summary",
            "experiment",
            lambda place: (place.ic_summary, place.selected_factors),
            "factors/selection",
            {"csv"},
            "How well each factor orders the stocks by their next return, or by what is to be predicted of them, and "
            "which are kept, from the factor panel and `returns` of the training sessions only.\n\n"
            "`ic_summary.csv`: a row a factor with its daily information coefficients; `selected_factors.txt`: those "
            "kept. Validation and test coefficients of the kept ones are shown beside, not used.",
            reads=(*panels, "returns", "size_proxy", "sector_dummies", *SCOPE),
            sections=lambda experiment: (
                SCOPE_SECTIONS | {"factors"} | ({"windows"} if experiment.windows.targets else set())
            ),
            read_as=lambda place: (place.selected_factors,),
        ),
        row(
            "neutralized_factors",
            "experiment",
            lambda place: (place.neutralized_factors, place.factors),
            "factors/selection",
            {"numpy", "csv"},
            "The selected factors without size and sector, from `ic_summary`, the factor panel, `size_proxy` and "
            "`sector_dummies`; or raw or ranked, as `factors.transform` says.\n\n"
            "`factors/NAME.csv` [sessions × symbols] (of residuals only) and `neutralized_factors.npz`: residuals of "
            "each session's regression, standardised on each session; missing = 0, with `valid` beside.",
            reads=(
                *panels,
                "ic_summary",
                Read("size_proxy", lambda experiment: experiment.factors.form.looks_at_size),
                Read("sector_dummies", lambda experiment: experiment.factors.form.looks_at_sectors),
                *SCOPE,
            ),
            sections=SCOPE_SECTIONS | {"factors"},
        ),
    )


def _panel(factor_set: str) -> Artifact:
    """The panel of a factor set: one mechanism for ours and a user's own."""
    chosen = FACTOR_SETS[factor_set]
    return row(
        f"{factor_set}_panel",
        "workspace",
        lambda place: (place.factor_panel(factor_set),),
        "factors/panels",
        {*chosen.kinds, "parquet"},
        f"{chosen.words}, from `market_panel`{' and `sector_dummies`' if chosen.by_sector else ''}.\n\n"
        f"`{factor_set}.parquet`: date, symbol, a column a factor (float32); a row for each stock from its first "
        "candle on. docs/factors.md has the formulas. Only new sessions are computed when candles were added.",
        reads=("market_panel", *(("sector_dummies",) if chosen.by_sector else ())),
        modules=chosen.modules,
    )
