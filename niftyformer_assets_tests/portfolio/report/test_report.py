"""The report says what happened, first in words; it stands alone; and it does not flatter."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.portfolio.backtest.result import BacktestResult
from niftyformer_assets.portfolio.backtest.scores import Scores
from niftyformer_assets.portfolio.evidence import metrics
from niftyformer_assets.portfolio.evidence.exposure import EXPLAINED, REST
from niftyformer_assets.portfolio.evidence.gather import (
    Evidence,
    MarketRecord,
    Predicted,
    gather_evidence,
)
from niftyformer_assets.portfolio.evidence.verdict import verdict
from niftyformer_assets.portfolio.names import EQUAL_WEIGHT, MODEL
from niftyformer_assets.portfolio.report.page import Page, Picture, Section, Table, render
from niftyformer_assets.portfolio.report.report import report_page, write_report
from niftyformer_assets.portfolio.report.sections.details import holdings
from niftyformer_assets.portfolio.report.tearsheet import write_tearsheet
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.tables import read_parquet
from niftyformer_assets_tests.portfolio.report_example import SPLIT, SYMBOLS, Example, background, example

PNG = b"\x89PNG\r\n\x1a\n"
SECTIONS = (
    "Results",
    "Predictions",
    "Month by month",
    "Scores and what they earned",
    "Holdings",
    "Exposures",
    "Turnover and costs",
    "What could not be traded",
    "All figures of the model",
    "What the figures take for granted",
    "Stocks left out",
    "Settings and provenance",
    "Appendix",
)


@pytest.fixture(scope="module")
def market() -> Example:
    return example()


@pytest.fixture(scope="module")
def luck(market: Example) -> Evidence:
    return market.evidence(skill=0.0, variants=3)


@pytest.fixture(scope="module")
def skill(market: Example) -> Evidence:
    return market.evidence(skill=1.0)


@pytest.fixture(scope="module")
def folder(luck: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "backtest"
    write_report(path, luck, background(), tearsheet=False)
    return path


class Reader(HTMLParser):
    """Headings and text in order; refuses tags that do not match and anything from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), value
        if tag == "img":
            self.pictures += 1
            assert attributes["alt"]
        assert tag not in ("script", "link", "iframe")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)
        if "style" not in self.open and data.strip():
            self.text.append(" ".join(data.split()))


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert not reader.open
    return reader


def test_the_period_is_the_test_window_and_nothing_trades_outside_it(luck: Evidence) -> None:
    dates = example().scope.axes.dates
    assert luck.result.dates[0] == dates[SPLIT.test.start - 1]
    assert luck.result.dates[-1] == dates[SPLIT.test.stop - 1]
    assert len(luck.result.dates) == SPLIT.sessions("test") + 1
    assert len(luck.result.returns) == SPLIT.sessions("test") - 1  # at its first close there is nothing to earn yet
    assert luck.result.earning_dates[0] == dates[SPLIT.test.start + 1]
    traded = luck.result.trades["session"]
    assert traded.min() == pd.Timestamp(dates[SPLIT.test.start])
    assert traded.max() <= pd.Timestamp(dates[SPLIT.test.stop - 1])


def test_luck_and_skill_are_told_apart(luck: Evidence, skill: Evidence) -> None:
    of_luck, of_skill = (report_page(each, background(), "") for each in (luck, skill))
    assert of_luck.verdict[0].startswith("Not distinguishable from random scores: p = 0.")
    assert of_luck.outcome == "none"
    assert of_skill.verdict[0].startswith("Better than random scores at the 95% level: p")
    assert of_skill.outcome == "good"
    assert "3 variants" in " ".join(of_luck.verdict)


def test_every_predictor_stands_beside_the_model(luck: Evidence) -> None:
    figures = luck.figures
    # Constants tell no stocks apart: they are measured as predictions, not traded.
    assert list(figures["name"].unique()) == [MODEL, "random", EQUAL_WEIGHT, "NIFTY 50"]
    assert luck.figure("total_return") == pytest.approx(luck.result.nav[-1] / luck.result.nav[0] - 1)
    for name in (MODEL, "random", "NIFTY 50"):
        apart = luck.figure("total_return", name) - luck.figure("total_return", EQUAL_WEIGHT)
        assert luck.figure("excess_return_equal_weight", name) == pytest.approx(apart), name
    index = luck.indices["NIFTY 50"]
    assert luck.figure("sharpe", "NIFTY 50") == pytest.approx(float(metrics.sharpe(index[2:] / index[1:-1] - 1, 0.06)))
    for name in figures["name"].unique():
        assert luck.figure("sharpe", name, "low") < luck.figure("sharpe", name) < luck.figure("sharpe", name, "high")
    assert set(luck.errors["baseline"]) == {MODEL, "random", "zero", "majority"}
    assert np.isnan(luck.figure("no such metric"))


def test_deciles_of_skill_rise_and_average_to_nothing(skill: Evidence) -> None:
    table = skill.deciles
    assert table["mean"].iloc[-1] > 3 * table["standard_error"].iloc[-1]
    assert table["mean"].iloc[0] < -3 * table["standard_error"].iloc[0]
    assert abs(table["mean"].mean()) < 1e-3


def test_the_page_stands_alone_and_begins_with_the_verdict(folder: Path) -> None:
    html = (folder / "report.html").read_text(encoding="utf-8")
    reader = read(html)
    assert reader.headings == ["Backtest of example", *SECTIONS]
    assert not re.search(r"https?://|@import|url\(", html)
    said = reader.text
    assert said.index("Results") > next(place for place, text in enumerate(said) if "Not distinguishable" in text)
    assert reader.pictures == 11
    assert "nan" not in " ".join(said).lower().split()


def test_the_page_says_what_its_figures_rest_on(folder: Path) -> None:
    text = " ".join(read((folder / "report.html").read_text(encoding="utf-8")).text)
    for words in (
        "Prices are adjusted",
        "made at the close of a session",
        "at the close of the next session",
        "carry survivorship bias",
        "no test results",
        "L&TFH",
        "12 candles up to the training end",
        "windows.input_sessions",
        "0123abcd",
        "99 of its 100 sessions",
        "had the same score as others",
        "flat 5.0 bps a side",
        "securities transaction tax",
        "depository charge",
        "majority",
        "No tear sheet was asked for.",
        "close of t to t+1, not earnable",
        "20, close of t+1 to t+21",
        "best fifth replaced",
        "Industrials",
        "small third",
        "Taxes are in none of the figures",
        "This is no tax advice",
    ):
        assert words in text, words


def test_what_could_not_be_traded_is_told(market: Example, tmp_path: Path) -> None:
    evidence = market.evidence(top_k=len(SYMBOLS), portfolios=20)
    write_report(tmp_path, evidence, background(), tearsheet=False)
    text = " ".join(read((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "no further candles: sold at the last price 1 STOCK02" in text
    assert "held without a candle, valued at the last close" in text


def test_what_the_portfolio_is_exposed_to_is_told(folder: Path, luck: Evidence) -> None:
    html = (folder / "report.html").read_text(encoding="utf-8")
    split = luck.exposure_split
    assert split is not None and {*split.held} == {"size", "sector"}
    assert "Nothing is taken out of the scores" in html
    earned = split.returns.set_index("part")["mean"]
    shown = json.loads((folder / "metrics.json").read_text())["exposures"]
    assert {row["part"]: row["mean"] for row in shown["returns"]} == pytest.approx(earned.to_dict())
    for name in (EXPLAINED, REST):
        assert f"{100 * abs(earned[name]):.1f}%" in html


def test_tables_are_what_happened(folder: Path, luck: Evidence) -> None:
    result = luck.result
    nav = read_parquet(folder / "nav.parquet")
    np.testing.assert_array_equal(nav["nav"], result.nav)
    holdings = read_parquet(folder / "holdings.parquet")
    worth = (holdings["shares"] * holdings["price"]).groupby(holdings["session"]).sum()
    invested = nav.set_index("session")["nav"] - nav.set_index("session")["cash"]
    np.testing.assert_allclose(worth, invested[worth.index], atol=0.005)
    trades = read_parquet(folder / "trades.parquet")
    assert trades["cost"].sum() == pytest.approx(nav["cost"].sum())
    assert set(holdings["symbol"]) <= set(SYMBOLS)


def test_metrics_are_plain_json(folder: Path, luck: Evidence) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["verdict"][0].startswith("Not distinguishable")
    assert content["sessions"] == 99
    assert content["picks"] == {"by_lot": 0, "all": luck.picks_by_lot[1]}
    assert content["null"]["portfolios"] == 200
    sharpe = [row for row in content["figures"] if (row["name"], row["metric"]) == (MODEL, "sharpe")]
    assert sharpe[0]["value"] == luck.figure("sharpe")
    assert content["null"]["total_return"]["p"] == luck.figure("p_total_return")
    assert [row["horizon"] for row in content["horizons"]] == [1, 1, 2, 5, 10, 20]
    assert content["horizons"][1]["rank_ic"] == pytest.approx(luck.figure("rank_ic"))
    assert content["groups"]["size"][0]["stocks"] > 5
    assert content["short_term_tax"]["tax"] == luck.tax.tax
    assert content["settings"] == background().settings


def test_the_same_evidence_gives_the_same_bytes(market: Example, folder: Path, tmp_path: Path) -> None:
    write_report(tmp_path, market.evidence(skill=0.0, variants=3), background(), tearsheet=False)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_the_summary_holds_pictures(luck: Evidence, tmp_path: Path) -> None:
    summary = write_report(tmp_path, luck, background(), tearsheet=False)
    drawn = [picture for of_section in summary.pictures.values() for picture in of_section]
    assert len(drawn) >= 8
    assert all(picture.png.startswith(PNG) for picture in drawn)
    assert summary.verdict.startswith("Not distinguishable")
    assert np.isfinite(list(summary.figures.values())).all()


def test_the_appendix_is_a_tear_sheet(luck: Evidence, tmp_path: Path) -> None:
    import matplotlib

    style = dict(matplotlib.rcParams)
    said = write_tearsheet(tmp_path / "tearsheet.html", luck, "example")
    assert "QuantStats' tear sheet against NIFTY 50" in said
    html = (tmp_path / "tearsheet.html").read_text(encoding="utf-8")
    assert "example" in html
    assert "<svg" in html
    assert [path.name for path in tmp_path.iterdir()] == ["tearsheet.html"]
    changed = {key for key in style if matplotlib.rcParams[key] != style[key]} - {"backend", "backend_fallback"}
    assert not changed
    # Neither the time, nor chance, nor whether QuantStats was loaded already is in it.
    write_tearsheet(tmp_path / "again.html", luck, "example")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == html


def test_a_model_that_never_trades_has_a_report_without_a_tear_sheet(market: Example, tmp_path: Path) -> None:
    nobody = replace(market.scope, member=np.zeros_like(market.scope.member))
    evidence = replace(market, scope=nobody).evidence()
    write_report(tmp_path, evidence, background())
    text = " ".join(read((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "Nothing was ever held." in text
    assert "Not judged: nothing was traded, of 0 orders." in text
    assert "No tear sheet" in text
    assert not (tmp_path / "tearsheet.html").exists()


def test_scores_that_tell_no_stocks_apart(market: Example, tmp_path: Path) -> None:
    constant = market.constant("x", 0.5).drop(columns="baseline")
    evidence = gather_evidence(
        MarketRecord(market.panel, market.scope),
        Predicted(constant, pd.DataFrame({"baseline": []}), market.labels),
        StrategySettings(top_k=5),
        CostSettings(),
        portfolios=20,
    )
    write_report(tmp_path, evidence, background(), tearsheet=False)
    page = report_page(evidence, background(), "")
    assert page.verdict[0].startswith("Not judged: the scores are the same for all stocks of a session")
    assert page.outcome == "none"
    assert evidence.picks_by_lot[0] == evidence.picks_by_lot[1] > 0
    assert "lots decided among them" in " ".join(holdings(evidence).text)
    assert "no lot decided" in " ".join(holdings(market.evidence(portfolios=2)).text)


def test_an_experiment_that_can_buy_nothing_is_not_judged(market: Example) -> None:
    dear = {**market.panel, **{name: 1e6 * market.panel[name] for name in ("open", "high", "low", "close")}}
    said = verdict(replace(market, panel=dear).evidence(portfolios=5).standing)
    assert said.sentences[0].startswith("Not judged: nothing was traded, of ")
    assert "one share costs more than its place" in said.sentences[0]
    assert said.outcome == "none"
    assert "equal parts" not in " ".join(said.sentences)


def test_a_portfolio_of_all_there_is_is_not_judged(market: Example) -> None:
    for top_k in (len(SYMBOLS), len(SYMBOLS) + 10):
        evidence = market.evidence(portfolios=5, top_k=top_k, skill=1.0)
        assert evidence.unjudged == f"there were never more than {len(SYMBOLS)} stocks to choose {top_k} from"
    assert verdict(evidence.standing).sentences[0] == f"Not judged: {evidence.unjudged}."
    assert market.evidence(portfolios=5, top_k=len(SYMBOLS) - 1).unjudged == ""


def test_the_baseline_that_earned_most_is_in_the_verdict(market: Example) -> None:
    """Paired: what both share is no uncertainty of their difference."""
    evidence = market.evidence(portfolios=20)
    better = replace(evidence, baselines={**evidence.baselines, "oracle": skilled(market), "twin": twin(evidence)})
    standing = better.standing
    assert standing.baseline == "oracle"
    assert standing.baseline_excess == pytest.approx(
        better.figure("total_return") - better.figure("total_return", "oracle")
    )
    assert standing.baseline_low < standing.baseline_excess < standing.baseline_high < 0
    assert "less" in (said := verdict(standing).sentences[2])
    assert said.endswith("than the best baseline, oracle.")
    of_twin = replace(evidence, baselines={"twin": twin(evidence)}).standing
    assert (of_twin.baseline_excess, of_twin.baseline_low, of_twin.baseline_high) == (0, 0, 0)


def skilled(market: Example) -> tuple[Scores, BacktestResult]:
    evidence = market.evidence(skill=1.0, portfolios=2)
    return evidence.scores, evidence.result


def twin(evidence: Evidence) -> tuple[Scores, BacktestResult]:
    return evidence.scores, evidence.result


@pytest.mark.parametrize("sessions", [1, 6])
def test_a_window_of_next_to_nothing_has_a_report(market: Example, sessions: int, tmp_path: Path) -> None:
    short = replace(market.scope, split=replace(SPLIT, test=slice(90, 90 + sessions)))
    evidence = replace(market, scope=short).evidence(portfolios=20)
    assert len(evidence.result.returns) == sessions - 1
    write_report(tmp_path, evidence, background(), tearsheet=False)
    text = " ".join(read((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "nan" not in text.lower().split()


def test_the_order_of_columns_changes_no_figure(market: Example, luck: Evidence) -> None:
    order = np.random.default_rng(0).permutation(len(SYMBOLS))
    axes = Axes(market.scope.axes.dates, tuple(SYMBOLS[column] for column in order))
    moved = replace(
        market,
        panel={name: array[:, order] for name, array in market.panel.items()},
        scope=replace(market.scope, axes=axes),
        returns=market.returns[:, order],
    )
    other = gather_evidence(
        MarketRecord(moved.panel, moved.scope, {"NIFTY 50": market.index}),
        Predicted(market.predictions(0.0), market.predictions(0, seed=11, name="random"), moved.labels),
        luck.result.strategy,
        CostSettings(),
        variants=3,
        portfolios=200,
    )
    pd.testing.assert_frame_equal(other.figures, luck.figures, rtol=1e-12)
    pd.testing.assert_frame_equal(other.deciles, luck.deciles, check_exact=True)
    assert other.standing == luck.standing


def test_the_spread_of_networks_stands_beside_their_mean(market: Example, luck: Evidence) -> None:
    """Each network is judged as a model of it alone would be."""
    each = {42 + place: market.predictions(skill, seed=place) for place, skill in enumerate((0.0, 0.5, 1.0))}
    several = pd.concat([rows.assign(seed=seed) for seed, rows in each.items()], ignore_index=True)
    evidence = market.evidence(portfolios=20, networks=several)
    table = evidence.by_network
    assert list(table["seed"]) == list(each)
    for seed, skill in zip(each, (0.0, 0.5, 1.0), strict=True):
        record = market.record()
        place = record.scores(each[seed], evidence.result.market, evidence.result.strategy)
        alone = replace(evidence, scores=place, networks={})
        row = table[table["seed"] == seed].iloc[0]
        assert row["rank_ic"] == pytest.approx(alone.figure("rank_ic"), abs=1e-12), skill
        assert row["t"] == pytest.approx(alone.figure("rank_ic", column="t"), abs=1e-9)
        assert row["sessions"] == alone.figure("rank_ic", column="sessions")
    assert table["rank_ic"].is_monotonic_increasing and table["rank_ic"].iloc[2] > 0.3
    (section,) = (each for each in report_page(evidence, background(), "").sections if "seeds" in each.title)
    (block,) = section.blocks
    assert isinstance(block, Table)
    assert [row[0] for row in block.rows] == ["seed 42", "seed 43", "seed 44", "their mean"]
    assert block.rows[3][1].startswith(f"{evidence.figure('rank_ic'):+.3f}")
    assert luck.by_network.empty and "Spread over seeds" not in SECTIONS


def test_an_index_that_ends_early_costs_a_line_not_the_report(market: Example, tmp_path: Path) -> None:
    of_model = market.predictions(0.0)
    indices = {"price": market.index, "with dividends": market.index.iloc[:-20]}
    evidence = gather_evidence(
        MarketRecord(market.panel, market.scope, indices),
        Predicted(of_model, pd.DataFrame({"baseline": []}), market.labels),
        StrategySettings(top_k=5),
        CostSettings(),
        portfolios=20,
    )
    write_report(tmp_path, evidence, background(), tearsheet=False)
    assert list(evidence.indices) == ["price"]
    text = " ".join(read((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "with dividends is left out: its values cover" in text
    content = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert content["index_notes"] == list(evidence.index_notes)


def test_validation_can_be_reported_too(market: Example) -> None:
    evidence = market.evidence(part="validation", portfolios=20)
    assert len(evidence.result.returns) == SPLIT.sessions("validation") - 1
    assert "validation window" in report_page(evidence, background(), "").subtitle


def test_other_names_are_refused(market: Example) -> None:
    axes = market.scope.axes
    renamed = replace(market.scope, axes=Axes(axes.dates, ("OTHER", *axes.symbols[1:])))
    with pytest.raises(NiftyFormerError, match="M&M"):
        replace(market, scope=renamed).evidence()


def test_each_holding_carried_across_a_break_is_named(market: Example) -> None:
    """With the return it would have had, and whether anything confirms that it had none."""
    session = SPLIT.test.start + 50
    panel = {name: array.copy() for name, array in market.panel.items()}
    for name in ("open", "high", "low", "close"):
        panel[name][session:] *= 0.6
    panel["open"][session] = 0.6 * market.panel["close"][session - 1]
    panel["segment"][session:] += 1
    evidence = replace(market, panel=panel).evidence(portfolios=20)
    carried = evidence.result.marks[evidence.result.marks["kind"] == "broken_adjustment"]
    held = sorted(carried["symbol"])
    assert len(held) == 5
    day = f"{pd.Timestamp(market.scope.axes.dates[session]):%Y-%m-%d}"
    told = replace(background(), confirmed_breaks=frozenset({(held[0], day), (held[1], "2000-01-03")}))
    sections = report_page(evidence, told, "").sections
    (section,) = (section for section in sections if section.title == "What could not be traded")
    rows = next(block.rows for block in section.blocks if isinstance(block, Table) and block.columns[0] == "stock")
    assert [(row[0], row[1], row[3]) for row in rows] == [
        (name, day, "confirmed" if name == held[0] else "confirmed by nothing") for name in held
    ]
    assert all(row[2].endswith("of the same value; a real move would be -40.0%") for row in rows)


def test_text_from_outside_cannot_become_markup() -> None:
    page = Page("<b>", "&", ("<script>",), "none", (Section("a<b", ("<i>",), (Table(("<u>",), (("<s>",),)),)),))
    html = render(page)
    for tag in ("<b>", "<script>", "<i>", "<u>", "<s>"):
        assert tag not in html
    read(html)


def test_shades_and_pictures_are_placed() -> None:
    table = Table(("", "a", "b", "c"), (("row", "1", "2", "3"),), shade=((1.0, -2.0, float("nan")),))
    html = render(Page("t", "s", ("v",), "good", (Section("x", (), (table, Picture(PNG, "what it shows"))),)))
    assert "rgba(43, 122, 75, 0.45)" in html
    assert "rgba(179, 64, 47, 0.45)" in html
    assert 'alt="what it shows"' in html
    read(html)
