"""Candles written as vendors write them: a table of formats, each a function of a folder and the candles."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from niftyformer_assets.exchange.market import Candles

CandlesOf = Mapping[str, Candles]
PRICES = ["open", "high", "low", "close"]


def frame_of(candles: Candles) -> pd.DataFrame:
    """Columns date, open, high, low, close, volume."""
    fields = ("open", "high", "low", "close", "volume")
    columns = {name: getattr(candles, name) for name in fields}
    return pd.DataFrame({"date": candles.dates.astype("datetime64[s]"), **columns})


def long_frame(candles: CandlesOf) -> pd.DataFrame:
    frames = [frame_of(daily).assign(symbol=symbol) for symbol, daily in candles.items()]
    return pd.concat(frames, ignore_index=True)


def titled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns=str.capitalize)


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


def with_others(day: pd.DataFrame) -> pd.DataFrame:
    """A day's rows with one of another series for the first symbol, at another price."""
    other = day.iloc[:1].copy()
    other[PRICES] = other[PRICES] * 2
    return pd.concat([day.assign(series="EQ"), other.assign(series="BE")])


def days_of(candles: CandlesOf) -> list[tuple[pd.Timestamp, pd.DataFrame]]:
    long = long_frame(candles).sort_values(["symbol", "date"])
    long["previous"] = long.groupby("symbol")["close"].shift().fillna(long["open"])
    return [(pd.Timestamp(str(day)), with_others(rows)) for day, rows in long.groupby("date")]


def old_day(day: pd.Timestamp, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "SYMBOL": rows["symbol"],
            "SERIES": rows["series"],
            "OPEN": rows["open"],
            "HIGH": rows["high"],
            "LOW": rows["low"],
            "CLOSE": rows["close"],
            "LAST": rows["close"] + 1,
            "PREVCLOSE": rows["previous"],
            "TOTTRDQTY": rows["volume"],
            "TOTTRDVAL": rows["volume"] * rows["close"],
            "TIMESTAMP": day.strftime("%d-%b-%Y").upper(),
            "TOTALTRADES": 10,
            "ISIN": "INE000A01010",
            "": "",
        }
    )


def udiff_day(day: pd.Timestamp, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "TradDt": day.strftime("%Y-%m-%d"),
            "BizDt": day.strftime("%Y-%m-%d"),
            "Sgmt": "CM",
            "Src": "NSE",
            "FinInstrmTp": "STK",
            "FinInstrmId": 1,
            "ISIN": "INE000A01010",
            "TckrSymb": rows["symbol"],
            "SctySrs": rows["series"],
            "XpryDt": "",
            "OpnPric": rows["open"],
            "HghPric": rows["high"],
            "LwPric": rows["low"],
            "ClsPric": rows["close"],
            "LastPric": rows["close"] + 1,
            "PrvsClsgPric": rows["previous"],
            "TtlTradgVol": rows["volume"],
            "TtlTrfVal": rows["volume"] * rows["close"],
        }
    )


def bhavcopy(folder: Path, candles: CandlesOf) -> None:
    for day, rows in days_of(candles):
        old_day(day, rows).to_csv(
            folder / f"cm{day:%d%b%Y}bhav.csv".replace(f"{day:%b}", f"{day:%b}".upper()), index=False
        )


def bhavcopy_zipped(folder: Path, candles: CandlesOf) -> None:
    for day, rows in days_of(candles):
        name = f"cm{day:%d%b%Y}bhav.csv"
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, old_day(day, rows).to_csv(index=False))


def bhavcopy_udiff(folder: Path, candles: CandlesOf) -> None:
    for day, rows in days_of(candles):
        udiff_day(day, rows).to_csv(folder / f"BhavCopy_NSE_CM_0_0_0_{day:%Y%m%d}_F_0000.csv", index=False)


def bhavcopy_both(folder: Path, candles: CandlesOf) -> None:
    """Old ones up to a day, UDiFF from then on, as everybody has who keeps them; in folders by year."""
    days = days_of(candles)
    for place, (day, rows) in enumerate(days):
        (folder / str(day.year)).mkdir(exist_ok=True)
        write = old_day if place < len(days) // 2 else udiff_day
        write(day, rows).to_csv(folder / str(day.year) / f"{day:%Y%m%d}.csv", index=False)


def bhavcopy_full(folder: Path, candles: CandlesOf) -> None:
    """sec_bhavdata_full: blanks after the commas, in headings and in cells."""
    for day, rows in days_of(candles):
        frame = pd.DataFrame(
            {
                "SYMBOL": rows["symbol"],
                " SERIES": " " + rows["series"],
                " DATE1": " " + day.strftime("%d-%b-%Y"),
                **{
                    f" {heading}": " " + rows[name].astype(str)
                    for heading, name in {
                        "PREV_CLOSE": "previous",
                        "OPEN_PRICE": "open",
                        "HIGH_PRICE": "high",
                        "LOW_PRICE": "low",
                        "LAST_PRICE": "open",
                        "CLOSE_PRICE": "close",
                        "AVG_PRICE": "low",
                        "TTL_TRD_QNTY": "volume",
                    }.items()
                },
                " DELIV_QTY": " -",
            }
        )
        frame.to_csv(folder / f"sec_bhavdata_full_{day:%d%m%Y}.csv", index=False)


def security_wise(folder: Path, candles: CandlesOf) -> None:
    """NSE's prices of one security: blanks in headings, thousands grouped as in India."""
    for symbol, daily in candles.items():
        frame = frame_of(daily)
        text = pd.DataFrame(
            {
                "Symbol  ": symbol,
                "Series  ": "EQ",
                "Date  ": frame["date"].dt.strftime("%d-%b-%Y"),
                "Prev Close  ": frame["close"].shift().fillna(1.0).map(grouped),
                **{f"{name.capitalize()} Price  ": frame[name].map(grouped) for name in ("open", "high", "low")},
                "Last Price  ": "1.00",
                "Close Price  ": frame["close"].map(grouped),
                "Average Price ": "1.00",
                "Total Traded Quantity  ": frame["volume"].map(grouped),
                "Turnover ₹  ": "1,23,456.00",
            }
        )
        text.to_csv(folder / f"Quote-Equity-{symbol}-EQ-01-01-2023-to-31-12-2023.csv", index=False)


def grouped(value: float) -> str:
    """As in India: 12,34,567.50."""
    whole, dot, fraction = (f"{value:.2f}" if isinstance(value, float) else str(value)).partition(".")
    head, tail = whole[:-3], whole[-3:]
    while len(head) > 2:
        head, tail = head[:-2], f"{head[-2:]},{tail}"
    return f"{head},{tail}{dot}{fraction}" if head else f"{tail}{dot}{fraction}"


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
}


def same(found: Candles, given: Candles) -> bool:
    """Are these the same candles, to the bit?"""
    return all(
        getattr(found, name).dtype == getattr(given, name).dtype
        and np.array_equal(getattr(found, name), getattr(given, name))
        for name in Candles.__dataclass_fields__
    )
