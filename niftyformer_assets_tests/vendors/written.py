"""Candles written as vendors write them: a table of formats, each a function of a folder and the candles."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.exchange.market import Candles
from niftyformer_assets_tests.vendors.frames import PRICES, CandlesOf, frame_of, long_frame, titled
from niftyformer_assets_tests.vendors.written_as_json import JSON
from niftyformer_assets_tests.vendors.written_by_nse import (
    bhavcopy,
    bhavcopy_both,
    bhavcopy_full,
    bhavcopy_udiff,
    bhavcopy_zipped,
    nse_api,
    security_wise,
)


def native(folder: Path, candles: CandlesOf) -> None:
    for symbol, daily in candles.items():
        titled(frame_of(daily)).to_csv(folder / f"{symbol}.csv", index=False)


def dated(style: str, separator: str = ",", ending: str = ".csv") -> Callable[[Path, CandlesOf], None]:
    """A file a symbol with dates in a style of `strftime`."""

    def write(folder: Path, candles: CandlesOf) -> None:
        for symbol, daily in candles.items():
            frame = titled(frame_of(daily))
            frame["Date"] = frame["Date"].dt.strftime(style)
            frame.to_csv(folder / f"{symbol}{ending}", index=False, sep=separator)

    return write


def yahoo(folder: Path, candles: CandlesOf) -> None:
    for symbol, daily in candles.items():
        frame = titled(frame_of(daily))
        frame.insert(5, "Adj Close", (frame["Close"] * 0.9).round(6))
        frame["Date"] = frame["Date"].dt.strftime("%Y-%m-%d")
        frame = frame.astype(object)
        # A holiday, as Yahoo writes them.
        frame.loc[len(frame)] = ["2099-01-26", *["null"] * 6]
        frame.to_csv(folder / f"{symbol}.NS.csv", index=False)


def yfinance_one(folder: Path, candles: CandlesOf) -> None:
    for symbol, daily in candles.items():
        frame = titled(frame_of(daily)).set_index("Date")[["Close", "High", "Low", "Open", "Volume"]]
        frame.columns = pd.MultiIndex.from_product([frame.columns, [f"{symbol}.NS"]], names=["Price", "Ticker"])
        frame.to_csv(folder / f"{symbol}.NS.csv")


def yfinance_many(folder: Path, candles: CandlesOf, by_ticker: bool = False) -> None:
    frames = {f"{symbol}.NS": titled(frame_of(daily)).set_index("Date") for symbol, daily in candles.items()}
    wide = pd.concat(frames, axis=1, names=["Ticker", "Price"]).sort_index()
    wide.index.name = "Date"
    if not by_ticker:
        wide = wide.swaplevel(axis=1).sort_index(axis=1)
    wide.to_csv(folder / "download.csv")


def yfinance_parquet(folder: Path, candles: CandlesOf) -> None:
    frames = {f"{symbol}.NS": titled(frame_of(daily)).set_index("Date") for symbol, daily in candles.items()}
    wide = pd.concat(frames, axis=1, names=["Ticker", "Price"]).sort_index()
    wide.swaplevel(axis=1).to_parquet(folder / "download.parquet")


def yfinance_by_ticker(folder: Path, candles: CandlesOf) -> None:
    yfinance_many(folder, candles, by_ticker=True)


def kiteconnect(folder: Path, candles: CandlesOf) -> None:
    """`pd.DataFrame(kite.historical_data(...)).to_csv(...)`: stamps of India, an index without a name."""
    for symbol, daily in candles.items():
        frame = frame_of(daily)
        frame["date"] = frame["date"].dt.tz_localize("Asia/Kolkata")
        frame.to_csv(folder / f"{symbol}.csv")


def utc_stamps(folder: Path, candles: CandlesOf, zone: bool = True) -> None:
    """Midnights of India in UTC: 18:30 of the day before."""
    for symbol, daily in candles.items():
        frame = frame_of(daily)
        frame["date"] = frame["date"] - pd.Timedelta(hours=5, minutes=30)
        if zone:
            frame["date"] = frame["date"].dt.tz_localize("UTC")
        frame.to_csv(folder / f"{symbol}.csv", index=False)


def utc_without_a_zone(folder: Path, candles: CandlesOf) -> None:
    utc_stamps(folder, candles, zone=False)


def long_parquet(folder: Path, candles: CandlesOf) -> None:
    long_frame(candles).sample(frac=1, random_state=1).to_parquet(folder / "candles.parquet")


def long_parquet_in_india(folder: Path, candles: CandlesOf) -> None:
    long = long_frame(candles).rename(columns={"date": "timestamp", "symbol": "tradingsymbol"})
    long["timestamp"] = long["timestamp"].dt.tz_localize("Asia/Kolkata")
    long.astype({"tradingsymbol": "category"}).to_parquet(folder / "candles.parquet")


def parquet_a_symbol(folder: Path, candles: CandlesOf) -> None:
    for symbol, daily in candles.items():
        frame_of(daily).set_index("date").to_parquet(folder / f"{symbol}.parquet")


def tradingview(folder: Path, candles: CandlesOf) -> None:
    """Seconds since 1970 of the opening at 09:15, and a column of an indicator."""
    for symbol, daily in candles.items():
        frame = frame_of(daily).rename(columns={"date": "time", "volume": "Volume"})
        opening = frame["time"].dt.tz_localize("Asia/Kolkata") + pd.Timedelta(hours=9, minutes=15)
        frame["time"] = opening.astype("datetime64[s, Asia/Kolkata]").astype("int64")
        frame["Volume MA"] = "NaN"
        name = symbol.replace("&", "_").replace("-", "_")
        frame.to_csv(folder / f"NSE_DLY_{name}, 1D_1a2b3.csv", index=False)


def amibroker(folder: Path, candles: CandlesOf) -> None:
    long = long_frame(candles).sort_values(["symbol", "date"])
    frame = pd.DataFrame(
        {
            "<TICKER>": long["symbol"],
            "<PER>": "D",
            "<DTYYYYMMDD>": long["date"].dt.strftime("%Y%m%d"),
            "<TIME>": "000000",
        }
        | {f"<{name.upper()}>": long[name] for name in PRICES}
        | {"<VOL>": long["volume"], "<OPENINT>": 0}
    )
    frame.to_csv(folder / "export.txt", index=False)


def amibroker_exploration(folder: Path, candles: CandlesOf) -> None:
    long = titled(long_frame(candles).rename(columns={"symbol": "ticker", "date": "date/Time"}))
    long["Date/time"] = long["Date/time"].dt.strftime("%m/%d/%Y")
    long.assign(Ticker="NSE:" + long["Ticker"] + "-EQ").to_csv(folder / "exploration.csv", index=False)


def european(folder: Path, candles: CandlesOf) -> None:
    """1.234,50 between semicolons, after the line that tells Excel."""
    for symbol, daily in candles.items():
        frame = titled(frame_of(daily))
        frame["Date"] = frame["Date"].dt.strftime("%d.%m.%Y")
        for name in ("Open", "High", "Low", "Close", "Volume"):
            texts = frame[name].map("{:,}".format if name == "Volume" else "{:,.2f}".format)
            frame[name] = texts.str.translate(str.maketrans(",.", ".,"))
        (folder / f"{symbol}.csv").write_text("sep=;\n" + frame.to_csv(index=False, sep=";"), encoding="utf-8-sig")


def western(folder: Path, candles: CandlesOf) -> None:
    """1,234.50 in quotes, and the year in two digits."""
    for symbol, daily in candles.items():
        frame = titled(frame_of(daily))
        frame["Date"] = frame["Date"].dt.strftime("%d-%m-%y")
        for name in ("Open", "High", "Low", "Close", "Volume"):
            frame[name] = frame[name].map("{:,}".format if name == "Volume" else "{:,.2f}".format)
        frame.to_csv(folder / f"{symbol}_2016_2024.csv", index=False)


def gzipped(folder: Path, candles: CandlesOf) -> None:
    for symbol, daily in candles.items():
        content = titled(frame_of(daily)).to_csv(index=False).encode()
        (folder / f"{symbol}.csv.gz").write_bytes(gzip.compress(content))


def stooq(folder: Path, candles: CandlesOf) -> None:
    """In folders, a file a symbol, whose names all end in the country."""
    (folder / "daily" / "in").mkdir(parents=True)
    for symbol, daily in candles.items():
        frame = frame_of(daily)
        frame["date"] = frame["date"].dt.strftime("%Y%m%d")
        columns = {f"<{name.upper()}>": frame[name] for name in ("date", "open", "high", "low", "close")}
        table = pd.DataFrame({"<TICKER>": f"{symbol}.IN", "<PER>": "D"} | columns | {"<VOL>": frame["volume"]})
        table.assign(**{"<OPENINT>": 0}).to_csv(folder / "daily" / "in" / f"{symbol.lower()}.in.txt", index=False)


def investing(folder: Path, candles: CandlesOf) -> None:
    """The newest first, in quotes, volumes in millions, a mark before the headings."""
    for symbol, daily in candles.items():
        frame = frame_of(daily).iloc[::-1]
        table = pd.DataFrame(
            {
                "Date": frame["date"].dt.strftime("%m/%d/%Y"),
                "Price": frame["close"].map("{:,.2f}".format),
                **{name.capitalize(): frame[name].map("{:,.2f}".format) for name in ("open", "high", "low")},
                "Vol.": (frame["volume"] / 1e6).map("{:.6f}M".format),
                "Change %": "1.00%",
            }
        )
        table.to_csv(folder / f"{symbol} Historical Data.csv", index=False, quoting=1, encoding="utf-8-sig")


def milliseconds(folder: Path, candles: CandlesOf) -> None:
    for symbol, daily in candles.items():
        frame = frame_of(daily).rename(columns={"date": "timestamp"})
        midnight = frame["timestamp"].dt.tz_localize("Asia/Kolkata")
        frame["timestamp"] = midnight.astype("datetime64[ms, Asia/Kolkata]").astype("int64")
        frame.assign(oi=0).to_csv(folder / f"NSE_EQ|{symbol}.csv", index=False)


def encoded(encoding: str) -> Callable[[Path, CandlesOf], None]:
    def write(folder: Path, candles: CandlesOf) -> None:
        for symbol, daily in candles.items():
            titled(frame_of(daily)).to_csv(folder / f"{symbol}.csv", index=False, encoding=encoding)

    return write


def packed(ending: str) -> Callable[[Path, CandlesOf], None]:
    def write(folder: Path, candles: CandlesOf) -> None:
        for symbol, daily in candles.items():
            titled(frame_of(daily)).to_csv(folder / f"{symbol}.csv{ending}", index=False)

    return write


def by_month(name: str, overlap: int = 0) -> Callable[[Path, CandlesOf], None]:
    """A file a symbol and month, of which the next has the last `overlap` candles again, called as told."""

    def write(folder: Path, candles: CandlesOf) -> None:
        for symbol, daily in candles.items():
            frame = titled(frame_of(daily))
            months = frame["Date"].dt.month
            for month in months.unique():
                first = max(int(np.flatnonzero(months == month)[0]) - overlap, 0)
                rows = frame.iloc[first : int(np.flatnonzero(months == month)[-1]) + 1]
                path = folder / name.format(symbol=symbol, month=month)
                path.parent.mkdir(exist_ok=True)
                rows.to_csv(path, index=False)

    return write


def partitioned(folder: Path, candles: CandlesOf) -> None:
    long_frame(candles).to_parquet(folder, partition_cols=["symbol"])


def yfinance_flat(name: str) -> Callable[[Path, CandlesOf], None]:
    """Two rows of headings made one, as by `'_'.join`."""

    def write(folder: Path, candles: CandlesOf) -> None:
        frames = {symbol: titled(frame_of(daily)).set_index("Date") for symbol, daily in candles.items()}
        wide = pd.concat(frames, axis=1).sort_index()
        wide.columns = [name.format(ticker=f"{ticker}.NS", field=field) for ticker, field in wide.columns]
        wide.to_csv(folder / "download.csv")

    return write


def yfinance_by_month(folder: Path, candles: CandlesOf) -> None:
    for month in (1, 2, 3):
        part = {
            symbol: daily.take(daily.dates.astype("datetime64[M]").astype(int) % 12 == month - 1)
            for symbol, daily in candles.items()
        }
        yfinance_many(folder, {symbol: daily for symbol, daily in part.items() if len(daily)})
        (folder / "download.csv").rename(folder / f"download {month}.csv")


def changed(
    change: Callable[[str, pd.DataFrame], str], name: str = "{symbol}.csv"
) -> Callable[[Path, CandlesOf], None]:
    """A file a symbol whose text is made of its frame with Date, Open, …"""

    def write(folder: Path, candles: CandlesOf) -> None:
        for place, (symbol, daily) in enumerate(candles.items()):
            frame = titled(frame_of(daily))
            frame["Date"] = frame["Date"].dt.strftime("%Y-%m-%d")
            (folder / name.format(symbol=symbol, place=place)).write_text(change(symbol, frame), encoding="utf-8")

    return write


def numbered(index: bool) -> Callable[[str, pd.DataFrame], str]:
    """`pd.DataFrame(answer["data"])`, without names of columns."""
    return lambda _, frame: frame.set_axis(range(frame.shape[1]), axis=1).to_csv(index=index)


def below_titles(_: str, frame: pd.DataFrame) -> str:
    columns = frame.rename(columns={"Date": "Exchange Date"}).assign(Net=1)
    return "History\nInterval:,Daily,,,,,\n\n" + columns.to_csv(index=False)


def ending_in_a_separator(_: str, frame: pd.DataFrame) -> str:
    """As BSE writes a stock's prices."""
    head, *rows = frame.to_csv(index=False).splitlines()
    return "\n".join([head, *(f"{row}," for row in rows)])


def codes_of_its_own(_: str, frame: pd.DataFrame) -> str:
    return frame.assign(stock_code="ITCLTD", exchange_code="NSE").to_csv(index=False)


def breeze_table(folder: Path, candles: CandlesOf) -> None:
    long = long_frame(candles).rename(columns={"symbol": "stock_code", "date": "datetime"})
    long.assign(exchange_code="NSE").to_csv(folder / "all.csv", index=False)


def by_field(name: str, write: Callable[[pd.DataFrame, Path], None]) -> Callable[[Path, CandlesOf], None]:
    """A file a field, dates × symbols, called as told."""

    def write_all(folder: Path, candles: CandlesOf) -> None:
        long = long_frame(candles)
        for field in (*PRICES, "volume"):
            wide = long.pivot_table(index="date", columns="symbol", values=field)
            path = folder / name.format(field=field, Field=field.capitalize())
            path.parent.mkdir(exist_ok=True)
            write(wide.rename(columns="{}.NS".format), path)

    return write_all


FORMATS: dict[str, Callable[[Path, CandlesOf], None]] = {
    "native": native,
    "DD-MM-YYYY": dated("%d-%m-%Y"),
    "MM/DD/YYYY": dated("%m/%d/%Y"),
    "DD-Mon-YYYY": dated("%d-%b-%Y"),
    "DD-Mon-YY": dated("%d-%b-%y"),
    "DD Month YYYY": dated("%d %B %Y"),
    "Mon DD, YYYY": dated("%b %d, %Y"),
    "YYYYMMDD": dated("%Y%m%d"),
    "DDMMYYYY": dated("%d%m%Y"),
    "YYYY/MM/DD": dated("%Y/%m/%d"),
    "DD/MM/YYYY HH:MM": dated("%d/%m/%Y 00:00"),
    "MM/DD/YYYY HH:MM AM": dated("%m/%d/%Y 12:00:00 AM"),
    "closing time": dated("%Y-%m-%d 15:30:00"),
    "opening time in India": dated("%Y-%m-%dT09:15:00+05:30"),
    "midnight of UTC": dated("%Y-%m-%dT00:00:00Z"),
    "semicolons": dated("%Y-%m-%d", ";"),
    "tabs": dated("%Y-%m-%d", "\t", ".txt"),
    "Yahoo": yahoo,
    "yfinance": yfinance_one,
    "yfinance, many": yfinance_many,
    "yfinance, many by ticker": yfinance_by_ticker,
    "yfinance, Parquet": yfinance_parquet,
    "bhavcopy": bhavcopy,
    "bhavcopy, zipped": bhavcopy_zipped,
    "bhavcopy, UDiFF": bhavcopy_udiff,
    "bhavcopy, both": bhavcopy_both,
    "bhavcopy with deliveries": bhavcopy_full,
    "NSE security-wise": security_wise,
    "kiteconnect": kiteconnect,
    "UTC": utc_stamps,
    "UTC without a zone": utc_without_a_zone,
    "long Parquet": long_parquet,
    "long Parquet in India": long_parquet_in_india,
    "a Parquet a symbol": parquet_a_symbol,
    "TradingView": tradingview,
    "AmiBroker": amibroker,
    "AmiBroker's exploration": amibroker_exploration,
    "1.234,50": european,
    "1,234.50": western,
    "gzip": gzipped,
    "bzip2": packed(".bz2"),
    "xz": packed(".xz"),
    "UTF-16": encoded("utf-16"),
    "UTF-16 without a mark": encoded("utf-16-le"),
    "Stooq": stooq,
    "Investing.com": investing,
    "milliseconds": milliseconds,
    "NSE's API": nse_api,
    "a Parquet folder a symbol": partitioned,
    "yfinance in one row": yfinance_flat("{field}_{ticker}"),
    "yfinance in one row, tickers first": yfinance_flat("{ticker}_{field}"),
    "yfinance, a file a month": yfinance_by_month,
    "a file a month": by_month("{symbol}_2023-0{month}.csv"),
    "a file a month, the month first": by_month("2023_0{month}_{symbol}.csv"),
    "a file a span": by_month("{symbol}-01-0{month}-2023-to-28-0{month}-2023.csv"),
    "numbered copies": by_month("{symbol} ({month}).csv"),
    "a folder a symbol": by_month("{symbol}/2023-0{month}.csv"),
    "a folder a month": by_month("2023-0{month}/{symbol}.csv"),
    "a file a field": by_field("{field}.csv", pd.DataFrame.to_csv),
    "a file a field, in words": by_field("nifty {Field} Price 2023.csv", pd.DataFrame.to_csv),
    "a folder a field": by_field("{field}/2023.csv", pd.DataFrame.to_csv),
    "a Parquet a field": by_field("{field}_1d.parquet", pd.DataFrame.to_parquet),
    "a JSON a field": by_field("{field}.json", partial(pd.DataFrame.to_json, date_format="iso")),
    **JSON,
    "pandas' numbers": changed(numbered(index=False)),
    "pandas' numbers and index": changed(numbered(index=True)),
    "below titles": changed(below_titles),
    "a separator after each row": changed(ending_in_a_separator),
    "a vendor's codes": changed(codes_of_its_own),
    "Breeze in one table": breeze_table,
    "ISINs": changed(lambda _, frame: frame.to_csv(index=False), "NSE_EQ|INE{place:03d}A01010.csv"),
    "numbers of instruments": changed(lambda _, frame: frame.to_csv(index=False), "{symbol}_73856{place}_day.csv"),
    "files that overlap": by_month("{symbol}_2023-0{month}.csv", overlap=2),
}


def same(found: Candles, given: Candles) -> bool:
    """Are these the same candles, to the bit?"""
    return all(
        getattr(found, name).dtype == getattr(given, name).dtype
        and np.array_equal(getattr(found, name), getattr(given, name))
        for name in Candles.__dataclass_fields__
    )
