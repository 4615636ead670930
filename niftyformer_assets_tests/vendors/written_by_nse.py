"""Candles written as NSE publishes them: bhavcopies, prices of one security, its API."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd

from niftyformer_assets_tests.vendors.frames import PRICES, CandlesOf, frame_of, long_frame


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


def nse_api(folder: Path, candles: CandlesOf) -> None:
    """As nsepython gives them."""
    headings = {"open": "CH_OPENING_PRICE", "high": "CH_TRADE_HIGH_PRICE", "low": "CH_TRADE_LOW_PRICE"}
    headings |= {"close": "CH_CLOSING_PRICE", "volume": "CH_TOT_TRADED_QTY", "date": "CH_TIMESTAMP"}
    for symbol, daily in candles.items():
        frame = frame_of(daily).rename(columns=headings)
        frame.assign(CH_SYMBOL=symbol, CH_SERIES="EQ").to_csv(folder / f"{symbol}.csv", index=False)
