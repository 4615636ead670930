"""The report of a study: the verdict first, every section that the evidence has, tables for programs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.factors.labels import UNITS, session_labels
from niftyformer_assets.factors.rank_ic import rank_ic
from niftyformer_assets.portfolio.backtest.scoring import Exposures, neutralised
from niftyformer_assets.portfolio.evidence.deciles import realised_returns
from niftyformer_assets.portfolio.evidence.exposure import PREDICTED, RANKED
from niftyformer_assets.portfolio.evidence.joined import ensemble, joined_market
from niftyformer_assets.portfolio.evidence.pooled.evidence import PooledEvidence
from niftyformer_assets.portfolio.evidence.pooled.verdict import study_verdict
from niftyformer_assets.portfolio.formatting import NONE, number
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT
from niftyformer_assets.portfolio.report.background import Background
from niftyformer_assets.portfolio.report.page import Table
from niftyformer_assets.portfolio.report.pictures.study import grid_picture
from niftyformer_assets.portfolio.report.report import Summary
from niftyformer_assets.portfolio.report.study_report import CONTENT, FIGURES, PAGE, study_page, write_study_report
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.portfolio.report_example import background
from niftyformer_assets_tests.portfolio.study_example import LENGTH, WINDOWS, N, T, study

KNOWN = "Stocks that left the exchange are missing: survivorship."


def about() -> Background:
    return Background(
        experiment="walk_forward",
        market="a made-up market",
        labels=session_labels(UNITS["rank"], (1, 2)),
        settings={"walk_forward": {"first": "2016-07-15"}},
        provenance={"study_predictions": "0123abcd"},
        survivorship=KNOWN,
    )


@pytest.fixture(scope="module")
def evidence() -> PooledEvidence:
    made = study()
    grid = {
        (top_k, threshold): made.joined(0.3, seed=top_k + int(1000 * threshold))
        for top_k in (5, 10)
        for threshold in (0.01, 0.02)
    }
    seeds = [made.joined(0.2, seed=30 + n) for n in (1, 2, 3)]
    contenders = [
        *(
            made.contender(f"k{k}.ic{t}", "model", scores, **{"strategy.top_k": k, "factors.ic_threshold": t})
            for (k, t), scores in grid.items()
        ),
        *(made.contender(f"seed {n}", "seed", scores, **{"training.seed": n}) for n, scores in enumerate(seeds)),
        made.contender("mean_of_seeds", "ensemble", ensemble(seeds)),
        *made.plain(),
    ]
    return made.evidence(contenders, variants=8, missing=("wf.4",))


@pytest.fixture(scope="module")
def folder(evidence: PooledEvidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study")
    write_study_report(path, evidence, about())
    return path


def text_of(folder: Path) -> str:
    return re.sub(r"<[^>]+>", " ", (folder / PAGE).read_text(encoding="utf-8"))


def test_it_begins_with_the_verdict_and_speaks_of_every_part(folder: Path, evidence: PooledEvidence) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    sentences = study_verdict(evidence.standing).sentences
    assert page.index(sentences[0][:40]) < page.index("<h2")
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles == [
        "Results",
        "Against the best plain one",
        "Scores and what they earned",
        "Month by month",
        "Kinds of market",
        "Among which stocks",
        "Windows",
        "The grid",
        "Spread over seeds",
        "Holdings",
        "Turnover and costs",
        "How much money it bears",
        "Multiple testing",
        "What the figures take for granted",
        "Settings and provenance",
    ]
    told = text_of(folder)
    for words in (
        KNOWN,
        "wf.4",
        "₹10,00,00,000",
        "NIFTY 50 (price)",
        "week of a monthly expiry",
        "large third",
        "Energy",
    ):
        assert words in told
    assert "nan" not in re.findall(r"[a-z]+", told.lower())


def test_its_pictures_are_png_and_are_handed_over(evidence: PooledEvidence, tmp_path: Path) -> None:
    summary = write_study_report(tmp_path, evidence, about())
    assert isinstance(summary, Summary)
    drawn = {name: len(pictures) for name, pictures in summary.pictures.items()}
    assert drawn == {
        "results": 2,
        "scores-and-what-they-earned": 4,
        "month-by-month": 1,
        "windows": 1,
        "the-grid": 1,
        "spread-over-seeds": 1,
        "holdings": 3,
        "turnover-and-costs": 1,
    }
    assert all(p.png.startswith(b"\x89PNG") and p.alt for of in summary.pictures.values() for p in of)
    assert summary.figures["rank_ic"] == evidence.figure("rank_ic")
    assert summary.verdict.startswith(study_verdict(evidence.standing).sentences[0])


def test_the_same_evidence_gives_the_same_bytes(folder: Path, evidence: PooledEvidence, tmp_path: Path) -> None:
    write_study_report(tmp_path, evidence, about())
    for name in (PAGE, CONTENT, FIGURES, "nav.parquet"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_programs_find_every_figure(folder: Path, evidence: PooledEvidence) -> None:
    content = json.loads((folder / CONTENT).read_text())
    assert content["verdict"] == list(study_verdict(evidence.standing).sentences)
    assert content["missing"] == ["wf.4"]
    assert content["windows"] == [f"wf.{n}" for n in range(WINDOWS)]
    assert content["standing"]["rank_ic"] == evidence.standing.rank_ic
    assert set(content["standing"]) == set(asdict(evidence.standing))
    assert len(content["paired"]) == len(evidence.contenders) - 1
    figures = read_parquet(folder / FIGURES)
    assert len(figures) == len(evidence.figures)
    nav = read_parquet(folder / "nav.parquet")
    assert len(nav) == (len(evidence.contenders) + 2) * WINDOWS * LENGTH
    own = nav[nav["name"] == evidence.main]["nav"].to_numpy()
    np.testing.assert_array_equal(own, evidence.result.nav)
    assert {EQUAL_WEIGHT, "NIFTY 50 (price)"} <= set(nav["name"])
    assert pd.api.types.is_datetime64_any_dtype(nav["session"])


def test_a_study_of_one_model_alone_has_the_sections_that_it_can_have() -> None:
    made = study()
    evidence = made.evidence([made.contender("model", "model", made.joined(windows=(0,)))], sectors=None, log_size=None)
    page = study_page(evidence, about())
    titles = [section.title for section in page.sections]
    assert "The grid" not in titles
    assert "Spread over seeds" not in titles
    assert "Among which stocks" not in titles
    assert page.verdict[0].startswith("Too few sessions to tell")
    plain = next(section for section in page.sections if section.title == "Against the best plain one")
    assert plain.text[0].startswith("There is no plain model")
    assert not plain.blocks


def test_named_points_stand_beside_each_other_and_beside_the_judged_one() -> None:
    made = study()
    points = {"whole": made.joined(0.3), "no_smoothing": made.joined(0.1)}
    contenders = [made.contender(f"model ({name})", "model", of, point=name) for name, of in points.items()]
    evidence = made.evidence([*contenders, *made.plain()], main="model (whole)")
    (section,) = (each for each in study_page(evidence, about()).sections if each.title == "The points")
    (table,) = section.blocks
    assert isinstance(table, Table)
    assert table.columns[0] == "point" and "more than the judged one (t)" in table.columns
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == ["whole", "no_smoothing"]
    assert rows["whole"]["more than the judged one (t)"] == NONE
    apart = np.nanmean(evidence.daily["model (no_smoothing)"].step - evidence.daily["model (whole)"].step)
    assert rows["no_smoothing"]["more than the judged one (t)"].startswith(number(apart, 3, signed=True))


def test_exposures_are_shown_where_a_strategy_takes_some_out(tmp_path: Path) -> None:
    """Those of the judged one, split as the single report does; where it takes none out, those that others do."""
    made = study()
    size, sectors = np.log(made.panel["close"]), np.tile(np.arange(N) % 2, (T, 1)).astype(str)
    known = Exposures(made.axes, {"size": size}, {"sector": sectors})
    plain = made.contender("as it is", "model", made.joined(0.3))
    neutral = replace(plain, name="neutral", strategy=replace(plain.strategy, neutralise=("size",)))
    evidence = made.evidence([plain, neutral], main="neutral", exposures=known)
    split, scores, axes = evidence.exposure_split, neutral.scores, evidence.result.market.axes
    assert split is not None and list(split.held) == ["size"]
    member = evidence.result.market.member
    ranked = neutralised(scores.traded.values, member, known.of(["size"]).on(axes))
    realised = realised_returns(joined_market(made.panel, made.axes, scores), plain.strategy.trade_at)
    daily = rank_ic(ranked, realised[: scores.sessions])
    told = split.scores.set_index("scores")
    assert told.loc[RANKED, "rank_ic"] == pytest.approx(np.nanmean(daily), abs=1e-12)
    assert told.loc[RANKED, "sessions"] == np.isfinite(daily).sum() == scores.sessions
    assert told.loc[PREDICTED, "rank_ic"] == pytest.approx(evidence.figure("rank_ic"), abs=1e-12)
    write_study_report(tmp_path, evidence, about())
    content = json.loads((tmp_path / CONTENT).read_text())["exposures"]
    assert content["held"].keys() == {"size"} and len(content["returns"]) == 4
    assert "Taken out of the scores, session by session: size." in text_of(tmp_path)
    other = made.evidence([plain, neutral], main="as it is", exposures=known)
    write_study_report(tmp_path, other, about())
    assert "what size and sector explain of them is shown" in text_of(tmp_path)
    nobody = made.evidence([plain], exposures=Exposures(made.axes))
    assert nobody.exposure_split is None
    assert "Exposures" not in [section.title for section in study_page(nobody, about()).sections]


@pytest.mark.parametrize("settings", [("strategy.top_k",), ("strategy.top_k", "model.width", "model.layers")])
def test_a_grid_of_one_setting_is_a_picture_and_of_three_a_table(settings: tuple[str, ...]) -> None:
    made = study()
    contenders = [
        made.contender(
            f"m{n}", "model", made.joined(0.1, seed=n), **{name: n * (place + 1) for place, name in enumerate(settings)}
        )
        for n in (1, 2)
    ]
    page = study_page(made.evidence(contenders), background())
    (grid,) = [section for section in page.sections if section.title == "The grid"]
    assert type(grid.blocks[0]).__name__ == ("Picture" if len(settings) == 1 else "Table")


def test_a_grid_without_a_figure_yet_can_be_drawn() -> None:
    empty = np.full((2, 2), np.nan)
    assert grid_picture(
        ["1", "2"], ["a", "b"], ("x", "y"), {"Mean rank IC": empty, "Sharpe ratio": empty * 0}
    ).startswith(b"\x89PNG")
