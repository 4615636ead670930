"""The sections of the report that say what was done, what it cost and what it takes for granted."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from niftyformer_assets.market.settings import QualitySettings
from niftyformer_assets.portfolio.backtest.costs import contract_note
from niftyformer_assets.portfolio.backtest.taxes import CHANGE, RATE, RATE_BEFORE
from niftyformer_assets.portfolio.evidence.gather import Evidence
from niftyformer_assets.portfolio.formatting import STATUS_NAMES, count, number, percent, rupees
from niftyformer_assets.portfolio.report.page import Picture, Section, Table
from niftyformer_assets.portfolio.report.pictures import money
from niftyformer_assets.portfolio.report.sections.traded import Traded
from niftyformer_assets.store.provenance import flat_settings
from niftyformer_assets.words import counted

COST_NAMES = {
    "value": "traded value",
    "brokerage": "brokerage",
    "stt": "securities transaction tax",
    "exchange": "NSE transaction charge",
    "sebi": "SEBI fee",
    "gst": "GST",
    "stamp": "stamp duty",
    "dp": "depository charge",
    "flat": "flat rate",
    "rounding": "tax and duty of each day rounded to the rupee",
    "cost": "all costs",
    "slippage": "slippage (in the prices)",
}
MARK_NAMES = {
    "stale_price": "held without a candle, valued at the last close",
    "delisted": "no further candles: sold at the last price",
    "broken_adjustment": "broken price adjustment, carried across at an unchanged value",
    "no_score": "a session on which the scores said nothing",
}


def holdings(evidence: Traded) -> Section:
    """What was held, how often, and what became of each position."""
    result, symbols = evidence.result, evidence.result.market.axes.symbols
    held = result.holdings[1:] > 0
    trips = result.round_trips
    if not held.any():
        return Section("Holdings", ("Nothing was ever held.",))
    closed = trips.dropna(subset=["closed"])
    text = (
        f"{held.sum(axis=1).mean():.1f} stocks were held on average, of {len(symbols)}; "
        f"{percent(result.exposure[1:].mean())} of the value was invested. "
        f"{counted(len(trips), 'position was', 'positions were')} opened "
        f"and {count(len(closed))} closed, after {counted(round(closed['sessions'].mean()), 'session')} on average; "
        f"{percent(evidence.figure('trade_win_rate'))} of the closed ones made money after costs."
        if len(closed)
        else f"{held.sum(axis=1).mean():.1f} stocks were held on average, of {len(symbols)}; no position was closed."
    )
    by_lot, picks = evidence.picks_by_lot
    same = "the same score as others that could have been bought as well"
    drawn = (
        f"Of {counted(picks, 'name')} bought anew, {count(by_lot)} had {same}: lots decided among them."
        if by_lot
        else f"None of {counted(picks, 'name')} bought anew had {same}: no lot decided."
    )
    earned = trips.groupby("symbol")[["profit", "cost"]].sum().sort_values("profit", ascending=False)
    shown = pd.concat([earned.head(5), earned.tail(5)]) if len(earned) > 10 else earned
    sessions = pd.Series(held.sum(axis=0), index=pd.Index(symbols))
    rows = [
        (str(symbol), rupees(profit), rupees(cost), count(int(sessions[str(symbol)])))
        for symbol, profit, cost in zip(shown.index, shown["profit"], shown["cost"], strict=True)
    ]
    return Section(
        "Holdings",
        (text, drawn),
        (
            Picture(
                money.holdings_picture(result.dates, result.weights, symbols),
                "Share of each holding in the net asset value over time.",
            ),
            Picture(money.chosen_picture(held.mean(axis=0), symbols), "Share of sessions each stock was held."),
            Table(
                ("stock", "profit after costs", "costs", "sessions held"),
                rows,
                caption="What the stocks contributed: the five most and the five least profitable.",
            ),
            Picture(
                money.returns_picture(result.returns, evidence.equal_weight.returns),
                "Distribution of the returns of sessions, of the strategy and of equal weight.",
            ),
        ),
    )


def costs(evidence: Traded) -> Section:
    """Turnover, the contract note by item, and both cost schedules side by side."""
    result, other = evidence.result, evidence.other_costs
    names = {"zerodha": "Zerodha's schedule", "flat": f"flat {number(result.costs.flat_bps, 1)} bps a side"}
    note = contract_note(result.trades)
    items = [
        (
            COST_NAMES.get(str(item), str(item)),
            rupees(row["buy"], 2),
            rupees(row["sell"], 2),
            rupees(row["total"], 2),
            number(row["bps"], 2, grouped=True),
        )
        for item, row in note.iterrows()
    ]
    side = [
        (
            names[each.costs.schedule] + (" (used in this report)" if each is result else ""),
            rupees(each.nav[-1]),
            percent(float(each.nav[-1] / each.nav[0] - 1), 2, signed=True),
            rupees(each.trades["cost"].sum()),
            number(each.trades["cost"].sum() / max(each.trades["value"].sum(), 1) * 1e4, 1),
        )
        for each in (result, other)
    ]
    return Section(
        "Turnover and costs",
        (
            f"One-sided turnover of {number(evidence.figure('turnover'), 1)} times the value a year. "
            + " ".join(result.notes),
            tax_sentence(evidence),
        ),
        (
            Table(
                ("contract note", "buys", "sells", "together", "bps of traded value"),
                items,
                caption="All orders of the window, by item, rupees.",
                strong=frozenset({len(items) - 2}),
            ),
            Table(
                ("costs", "value at the end", "return of the window", "costs paid", "bps of traded value"),
                side,
                caption="The same scores and rules under both cost schedules.",
            ),
            Picture(
                money.costs_picture(
                    result.dates,
                    result.turnover,
                    {names[each.costs.schedule]: each.by_session("cost") for each in (result, other)},
                ),
                "Turnover of each session, and costs paid so far under both schedules.",
            ),
        ),
    )


def tax_sentence(evidence: Traded) -> str:
    """What tax on the short-term gains that were realised would leave; it is in no figure."""
    result, tax = evidence.result, evidence.tax
    if not tax.rates:
        return "Taxes are in none of the figures; nothing was sold, so no gain was realised."
    names: dict[tuple[float, ...], str] = {
        (RATE_BEFORE,): f"{percent(RATE_BEFORE, 0)} (the rate of sales before {CHANGE:%Y-%m-%d})",
        (RATE,): percent(RATE, 0),
    }
    rates = names.get(tax.rates, f"{percent(RATE, 0)} ({percent(RATE_BEFORE, 0)} on sales before {CHANGE:%Y-%m-%d})")
    start, end = float(result.nav[0]), float(result.nav[-1])
    gains = f"short-term gains less losses of {rupees(tax.gain)} that these trades realised"
    said = (
        f"{rates} on the {gains} would be {rupees(tax.tax)} and leave {rupees(end - tax.tax)} at the end, a return of "
        f"the window of {percent((end - tax.tax) / start - 1, 2, signed=True)} instead of "
        f"{percent(end / start - 1, 2, signed=True)}"
        if tax.tax > 0
        else f"on the {gains} none would be due"
    )
    left = f"; {rupees(tax.loss_left)} of losses could be carried forward" if tax.loss_left > 0 else ""
    long_term = f"; {rupees(tax.long_term)} on lots held for over twelve months is not counted" if tax.long_term else ""
    return (
        f"Taxes are in none of the figures: {said}{left}{long_term} (first bought, first sold; losses set off within a "
        "year from April to March, then in later ones; no surcharge or cess; what is still held is not taxed). This is "
        "no tax advice."
    )


def troubles(evidence: Evidence, confirmed_breaks: Collection[tuple[str, str]] = ()) -> Section:
    """Orders that were not filled, and what was done about missing prices and broken ones.

    confirmed_breaks: symbol and session (YYYY-MM-DD) of the broken adjustments that something confirms.
    """
    result = evidence.result
    unfilled = result.unfilled.groupby(["side", "status"]).size().rename("times").reset_index()
    orders = [
        (str(side), STATUS_NAMES.get(str(status), str(status)), count(int(times)))
        for side, status, times in unfilled.itertuples(index=False)
    ]
    marks = [(MARK_NAMES.get(str(kind), str(kind)), *_examples(rows)) for kind, rows in result.marks.groupby("kind")]
    blocks = []
    if orders:
        blocks.append(Table(("order", "why it was not filled", "how often"), orders, words=True))
    if marks:
        blocks.append(Table(("what happened", "how often", "where"), marks, words=True))
    breaks = [
        (
            str(row.symbol),
            f"{row.session:%Y-%m-%d}",
            str(row.detail),
            "confirmed" if (str(row.symbol), f"{row.session:%Y-%m-%d}") in confirmed_breaks else "confirmed by nothing",
        )
        for row in result.marks[result.marks["kind"] == "broken_adjustment"].itertuples()
    ]
    if breaks:
        caption = (
            "Holdings carried across a gap that was taken for a wrong adjustment. Where nothing confirms it, the move "
            "may have been real: then the figures of this report lack that gain or loss."
        )
        blocks.append(
            Table(("stock", "session", "what was done", "wrong adjustment"), breaks, words=True, caption=caption)
        )
    said = "Every order could be filled, and every holding had a price." if not blocks else ""
    return Section("What could not be traded", (said,) if said else (), blocks)


def _examples(rows: pd.DataFrame) -> tuple[str, str]:
    named = rows["symbol"].fillna("").astype(str)
    stocks = sorted({name for name in named if name})
    shown = ", ".join(stocks[:8]) + (f" and {len(stocks) - 8} more" if len(stocks) > 8 else "")
    first, last = (pd.Timestamp(day).date() for day in (rows["session"].min(), rows["session"].max()))
    span = f"{first}" if first == last else f"{first} to {last}"
    return count(len(rows)), f"{shown} ({span})" if shown else span


def assumptions(evidence: Evidence, survivorship: str) -> Section:
    """What every figure above takes for granted."""
    strategy = evidence.result.strategy
    return Section(
        "What the figures take for granted",
        (
            f"A prediction is made at the close of a session, from what is known by then, and trades at the "
            f"{strategy.trade_at} of the next session; it earns from there.",
            "Prices are adjusted back for splits, bonus and rights issues, as Zerodha gives them: shares and rupees "
            "are those of adjusted prices, not of the day. Most dividends are not in them, so the price index is like "
            "for like; a total return index holds dividends that the strategy is not credited with.",
            f"Orders fill at the price of the candle, in whole shares, {_of_size(strategy.volume_cap)}, apart from the "
            "slippage that the settings ask for. A session whose high equals its low counts as locked; one that only "
            "closes at its price band does not, though nobody may have been on the other side.",
            f"An opening more than {percent(QualitySettings().max_overnight_fall, 0)} below the last close or "
            f"{percent(QualitySettings().max_overnight_rise, 0)} above it, the market's own gap apart, is taken for a "
            "wrong adjustment unless NSE's list of corporate actions is at hand and acquits it: a holding keeps its "
            "value across it, so a real overnight loss of that size does not show. "
            "Each holding it happened to is named under what could not be traded.",
            *([survivorship] if survivorship else []),
            "A stock's sector is that of the index list in force on the session; before the earliest list at hand, of "
            "that one.",
            "Factors, graph and training saw the training sessions only; validation decided when training stopped and "
            "which checkpoint was kept. Figures of any window that was looked at while choosing settings are no test "
            "results: the verdict says how many variants were tried.",
            _of_cash(evidence),
            "The equal-weight universe restores its weights every 20 sessions and starts with a thousand times the "
            "capital, so that the price of a single share does not matter to it.",
        ),
    )


def _of_size(cap: float) -> str:
    if not cap:
        return "whatever their size"
    return f"up to {percent(cap)} of the traded volume (what is over lapses), whatever their size below that"


def _of_cash(evidence: Evidence) -> str:
    result = evidence.result
    deducted = f"while Sharpe and Sortino ratios deduct {percent(result.strategy.risk_free_rate)} a year from all of it"
    if not result.strategy.cash_yield:
        return f"Cash that is not invested earns nothing, {deducted}; the setting cash_yield gives it a return."
    return (
        f"Cash that is not invested earns {percent(result.strategy.cash_yield)} a year (cash_yield; "
        f"{rupees(result.interest.sum())} in all), {deducted}."
    )


def settings_section(settings: Mapping[str, Any], provenance: Mapping[str, str], variants: int) -> Section:
    """The experiment as it was run, and the fingerprints of what it was made from."""
    rows = [
        (name, value if isinstance(value, str) else json.dumps(value, default=str))
        for name, value in flat_settings(settings).items()
    ]
    made_from = [(name, value) for name, value in provenance.items()]
    blocks = [Table(("setting", "value"), rows, words=True)] if rows else []
    if made_from:
        blocks.append(Table(("made from", "fingerprint or version"), made_from, words=True))
    return Section(
        "Settings and provenance", (f"Variants tried on these sessions when this was written: {variants}.",), blocks
    )


def left_out_section(left_out: Mapping[str, str]) -> Section:
    """Members of the universe that take no part, and why."""
    if not left_out:
        return Section("Stocks left out", ("None: every member of the universe takes part.",))
    rows = sorted(left_out.items())
    return Section(
        "Stocks left out",
        (f"Members of the universe that take no part in this experiment: {len(rows)}.",),
        (Table(("stock", "why"), rows, words=True),),
    )
