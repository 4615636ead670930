"""Candles as JSON: answers of brokers and of data services, and what pandas writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from niftyformer_assets_tests.vendors.frames import CandlesOf, frame_of, long_frame, titled

Write = Callable[[Path, CandlesOf], None]
FIELDS = ("open", "high", "low", "close", "volume")


def answers(answer: Callable[[pd.DataFrame], Any], name: str = "{symbol}.json") -> Write:
    """An answer a file, of a frame with columns date, open, high, low, close, volume."""

    def write(folder: Path, candles: CandlesOf) -> None:
        for symbol, daily in candles.items():
            (folder / name.format(symbol=symbol)).write_text(json.dumps(answer(frame_of(daily))))

    return write


def one_file(answer: Callable[[dict[str, list[list[Any]]]], Any]) -> Write:
    """All symbols in one file."""

    def write(folder: Path, candles: CandlesOf) -> None:
        rows = {symbol: rows_of(frame_of(daily), "%Y-%m-%d") for symbol, daily in candles.items()}
        (folder / "candles.json").write_text(json.dumps(answer(rows)))

    return write


def by_pandas(orient: Any, milliseconds: bool = True) -> Write:
    def write(folder: Path, candles: CandlesOf) -> None:
        for symbol, daily in candles.items():
            frame = frame_of(daily)
            if milliseconds:
                frame["date"] = frame["date"].astype("datetime64[ms]").astype("int64")
            frame.to_json(folder / f"{symbol}.json", orient=orient, date_format="iso")

    return write


def rows_of(frame: pd.DataFrame, stamp: str) -> list[list[Any]]:
    return [[row.date.strftime(stamp), *(getattr(row, name) for name in FIELDS)] for row in frame.itertuples()]


def seconds(frame: pd.DataFrame, hours: float = -5.5) -> list[int]:
    """Since 1970, of midnight in India, or of another hour of UTC."""
    return list((frame["date"] + pd.Timedelta(hours=hours)).astype("datetime64[s]").astype("int64"))


def kite(frame: pd.DataFrame) -> Any:
    return {"status": "success", "data": {"candles": rows_of(frame, "%Y-%m-%dT00:00:00+0530")}}


def angel(frame: pd.DataFrame) -> Any:
    return {"status": True, "message": "SUCCESS", "errorcode": "", "data": rows_of(frame, "%Y-%m-%dT00:00:00+05:30")}


def upstox(frame: pd.DataFrame) -> Any:
    rows = [[*row, 0] for row in rows_of(frame, "%Y-%m-%dT00:00:00+05:30")][::-1]
    return {"status": "success", "data": {"candles": rows}}


def fyers(frame: pd.DataFrame) -> Any:
    rows = [[at, *row[1:]] for at, row in zip(seconds(frame, 0), rows_of(frame, ""), strict=True)]
    return {"candles": rows, "code": 200, "message": "", "s": "ok"}


def dhan(frame: pd.DataFrame) -> Any:
    return {name: frame[name].tolist() for name in FIELDS} | {"timestamp": list(map(int, seconds(frame)))}


def feed(frame: pd.DataFrame) -> Any:
    """As charts are fed: one letter a column."""
    return {"s": "ok", "t": list(map(int, seconds(frame)))} | {name[0]: frame[name].tolist() for name in FIELDS}


def breeze(frame: pd.DataFrame) -> Any:
    records = [
        {"close": str(row.close), "datetime": f"{row.date:%Y-%m-%d} 00:00:00", "exchange_code": "NSE"}
        | {name: str(getattr(row, name)) for name in ("high", "low", "open")}
        | {"stock_code": "ITCLTD", "volume": str(row.volume)}
        for row in frame.itertuples()
    ]
    return {"Error": None, "Status": 200, "Success": records}


def alpha_vantage(frame: pd.DataFrame) -> Any:
    days = {
        f"{row.date:%Y-%m-%d}": {f"{n}. {name}": str(getattr(row, name)) for n, name in enumerate(FIELDS, 1)}
        for row in frame.itertuples()
    }
    return {"Meta Data": {"1. Information": "Daily Prices", "5. Time Zone": "US/Eastern"}, "Time Series (Daily)": days}


def yahoo_chart(frame: pd.DataFrame) -> Any:
    quote = {name: frame[name].tolist() for name in FIELDS}
    result = {
        "meta": {"currency": "INR", "validRanges": ["1d", "5d"], "tradingPeriods": [[{"start": 1, "end": 2}]]},
        "timestamp": list(map(int, seconds(frame, 3.75))),
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": (frame["close"] * 0.9).tolist()}]},
    }
    return {"chart": {"result": [result], "error": None}}


def data_link(frame: pd.DataFrame) -> Any:
    names = ["Date", "Open", "High", "Low", "Last", "Close", "Total Trade Quantity", "Turnover (Lacs)"]
    rows = [[*row[:4], row[4] + 1, *row[4:], None] for row in rows_of(frame, "%Y-%m-%d")]
    return {"dataset": {"id": 1, "name": "A company", "column_names": names, "data": rows}}


def nse_answer(frame: pd.DataFrame) -> Any:
    records = [
        {"_id": "x", "CH_SERIES": "EQ", "CH_TIMESTAMP": f"{row.date:%Y-%m-%d}", "mTIMESTAMP": f"{row.date:%d-%b-%Y}"}
        | {"CH_OPENING_PRICE": row.open, "CH_TRADE_HIGH_PRICE": row.high, "CH_TRADE_LOW_PRICE": row.low}
        | {"CH_CLOSING_PRICE": row.close, "CH_TOT_TRADED_QTY": row.volume}
        for row in frame.itertuples()
    ]
    return {"data": records, "meta": {"series": ["EQ"], "symbols": ["X"]}}


def by_symbol(rows: dict[str, list[list[Any]]]) -> Any:
    return {"status": "ok", "data": {symbol: {"candles": found} for symbol, found in rows.items()}}


def said_beside(rows: dict[str, list[list[Any]]]) -> Any:
    return [{"symbol": f"NSE:{symbol}-EQ", "candles": found} for symbol, found in rows.items()]


def a_record_a_line(folder: Path, candles: CandlesOf) -> None:
    long_frame(candles).to_json(folder / "all.jsonl", orient="records", lines=True, date_format="iso")


def quotes_by_day(folder: Path, candles: CandlesOf) -> None:
    """A file a day, a record a symbol."""
    for day, rows in long_frame(candles).groupby("date"):
        records = titled(rows.drop(columns="date")).set_index("Symbol").assign(Date=f"{day:%Y-%m-%d}").to_dict("index")
        (folder / f"{day:%Y%m%d}.json").write_text(json.dumps(records))


JSON: dict[str, Write] = {
    "Kite's answers": answers(kite),
    "Angel One's answers": answers(angel),
    "Upstox's answers": answers(upstox, "NSE_EQ|{symbol}.json"),
    "Fyers' answers": answers(fyers, "NSE:{symbol}-EQ.json"),
    "Dhan's answers": answers(dhan),
    "a chart's feed": answers(feed),
    "Breeze's answers": answers(breeze),
    "Alpha Vantage's answers": answers(alpha_vantage),
    "Yahoo's chart": answers(yahoo_chart, "{symbol}.NS.json"),
    "Data Link's answers": answers(data_link),
    "NSE's answers": answers(nse_answer),
    "JSON by symbol": one_file(by_symbol),
    "JSON with the symbol beside": one_file(said_beside),
    "pandas' JSON": by_pandas("columns"),
    "pandas' JSON, records": by_pandas("records", milliseconds=False),
    "pandas' JSON, rows": by_pandas("index"),
    "pandas' JSON, split": by_pandas("split"),
    "pandas' JSON, table": by_pandas("table", milliseconds=False),
    "pandas' JSON, values": by_pandas("values"),
    "a JSON record a line": a_record_a_line,
    "a JSON a day": quotes_by_day,
}
