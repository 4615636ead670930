"""The orders as an asset: opt-in, from a file or from an account that is logged in, and never a stale page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import requests
from pydantic import SecretStr

from niftyformer_assets.defs import build
from niftyformer_assets.defs.bodies.portfolio import order_proposal
from niftyformer_assets.exchange.account import Account, holding
from niftyformer_assets.exchange.server import RunningExchange, run_exchange
from niftyformer_assets.market.calendar import IST
from niftyformer_assets.portfolio.orders.proposal import ORDERS
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.settings import Settings, read_settings
from niftyformer_assets.sources import simulated_market
from niftyformer_assets.store.tables import read_notes, read_parquet, write_parquet
from niftyformer_assets_tests.conftest import Graph, failure_of
from niftyformer_assets_tests.portfolio.report.test_orders_page import Forms

SESSION, TRADES_ON = "2023-01-20", "2023-01-23"
# So that the money at hand alone limits what is bought.
FREE: dict[str, Any] = {"volume_cap": 0.0, "sale_credit": 1.0}


@pytest.fixture
def settings(graph: Graph, tmp_path: Path) -> Settings:
    """A copy of everything that was made, to go on from."""
    shutil.copytree(graph.settings.data, tmp_path / "data")
    return graph.settings.model_copy(update={"data": tmp_path / "data", "storage": tmp_path / "storage"})


def made(settings: Settings, **orders: Any) -> tuple[dg.ExecuteInProcessResult, dict[str, Any]]:
    """The asset alone, as somebody materializes it, and what it said."""
    settings = settings.model_copy(update={"orders": OrderSettings(**orders)})
    with dg.DagsterInstance.ephemeral() as instance:
        job = build(settings).resolve_job_def("signal")
        key = dg.AssetKey("order_proposal")
        result = job.execute_in_process(instance=instance, asset_selection=[key], raise_on_error=False)
        event = instance.get_latest_materialization_event(key)
    found = event.asset_materialization.metadata if event and event.asset_materialization else {}
    return result, {name: value.value for name, value in found.items()}


def page_of(settings: Settings) -> str:
    return settings.workspace.orders_page(SESSION).read_text(encoding="utf-8")


def orders_of(settings: Settings) -> pd.DataFrame:
    return pd.read_csv(settings.workspace.orders_table(SESSION))


def signal_of(settings: Settings) -> pd.DataFrame:
    return read_parquet(settings.workspace.signal(SESSION))


def csv(folder: Path, **held: int) -> str:
    path = folder / "held.csv"
    path.write_text("symbol,quantity\n" + "".join(f"{name},{shares}\n" for name, shares in held.items()))
    return str(path)


def test_another_signal_in_the_newest_ones_place_is_refused(settings: Settings, tmp_path: Path) -> None:
    """With its entry in the index, as where the folder is another workspace's."""
    path = settings.workspace.signal(SESSION)
    said = read_parquet(path)
    write_parquet(path, said.assign(target_weight=said["target_weight"].to_numpy()[::-1]), read_notes(path))
    result, _ = made(settings, holdings=csv(tmp_path, DEMO001=1), cash=1e5)
    assert f"{path} is not the file that the record of daily_signals describes" in failure_of(result)


def test_nobody_asked_for_orders_and_the_page_says_how_to(graph: Graph) -> None:
    text = graph.settings.workspace.orders_page(SESSION).read_text(encoding="utf-8")
    assert "No orders are proposed." in text and "NIFTYFORMER_ORDERS__HOLDINGS" in text and "<form" not in text
    assert len(pd.read_csv(graph.settings.workspace.orders_table(SESSION))) == 0


def test_from_a_file_of_holdings_to_the_signals_target(settings: Settings, tmp_path: Path) -> None:
    """With what the signal's own account is worth, in cash and two stocks, its target is reached within a share."""
    signal = signal_of(settings).set_index("symbol")
    unwanted = signal.index[signal["target_shares"] == 0][0]
    held = {unwanted: 3, "MINE": 7}
    cash = (signal["target_shares"] * signal["close"]).sum() * 1.05
    result, said = made(settings, holdings=csv(tmp_path, **held), cash=cash, **FREE)
    assert result.success, failure_of(result)
    orders = orders_of(settings).set_index("symbol")
    assert tuple(orders.reset_index().columns) == ORDERS
    assert orders.loc[unwanted, "side"] == "sell" and orders.loc[unwanted, "shares"] == 3
    target = signal["target_weight"] * said["capital"] / signal["close"]
    wanted = target[target >= 1]
    assert len(wanted) == 3 and {*orders.index} == {unwanted, *wanted.index}
    left_out = "the money at hand does not reach" in page_of(settings)
    if not left_out:
        assert (orders["shares"] - wanted).dropna().abs().max() <= 1
    spent = orders["value"].where(orders["side"] == "buy", 0).sum()
    assert said["money_after"] >= 0 and spent <= cash + orders["value"].sum() - spent
    text = page_of(settings)
    assert TRADES_ON in text and "held.csv" in text and "it is your own" in text and "There is no button" in text
    assert "trade for trade" in text and "ASM" in text and said["trades_on"] == TRADES_ON
    assert said["page"].endswith(f"/demo/orders/{SESSION}.html")


def test_the_account_of_the_simulated_exchange(settings: Settings) -> None:
    """Nobody holds anything there, and has a million: Kite's own figures stand beside the schedule's."""
    result, said = made(settings, holdings="kite", **FREE)
    assert result.success, failure_of(result)
    orders, text = orders_of(settings), page_of(settings)
    assert set(orders["side"]) == {"buy"} and said["money"] == 1_000_000 and "Kite would block" in text
    assert "logged in at Kite" in text and "<form" not in text and "made up or replayed" in text
    assert orders["value"].sum() <= 1_000_000


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ({"holdings": "absent.csv"}, "absent.csv cannot be read"),
        ({"holdings": "kite", "no_trade": Path("absent.csv")}, "absent.csv cannot be read"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_no_page_of_before(
    orders: dict[str, Any], said: str, settings: Settings
) -> None:
    assert made(settings, holdings="kite")[0].success and len(orders_of(settings))
    result, _ = made(settings, **orders)
    told = failure_of(result)
    assert told.startswith(f"no orders for {TRADES_ON}: ") and said in told and "\n" not in told
    assert "No orders are proposed." in page_of(settings) and said in page_of(settings)
    assert len(orders_of(settings)) == 0


def test_a_person_names_stocks_that_are_not_to_be_traded(settings: Settings, tmp_path: Path) -> None:
    signal = signal_of(settings)
    named = signal.loc[signal["target_shares"] > 0, "symbol"].iloc[0]
    path = tmp_path / "no_trade.csv"
    path.write_text(f"symbol,reason\n{named},ASM stage 2\n")
    assert made(settings, holdings="kite", no_trade=path)[0].success
    assert named not in set(orders_of(settings)["symbol"])
    assert "ASM stage 2" in page_of(settings) and "is not known here" not in page_of(settings)


def test_a_signal_of_other_candles_or_of_another_experiment_gives_none(settings: Settings) -> None:
    other = settings.model_copy(update={"signal_experiment": "other"})
    told = failure_of(made(other, holdings="kite")[0])
    assert told == f"no orders: the signal of {SESSION} is of tiny, and other is in use: materialize daily_signals"
    settings.workspace.signal(SESSION).rename(settings.workspace.signal("2023-01-19"))
    told = failure_of(made(settings, holdings="kite")[0])
    assert told == f"no orders: there is no signal of {SESSION}: materialize daily_signals"


@pytest.fixture
def live(settings: Settings) -> Iterator[tuple[Settings, RunningExchange]]:
    """The same, where an exchange runs elsewhere and somebody has logged in to it."""
    moved = settings.data / "mine"
    shutil.move(settings.workspace.root, moved)
    (moved / "source.txt").write_text("live candles of elsewhere\n")
    with run_exchange(simulated_market(settings), historical_per_second=None) as exchange:
        yield (
            read_settings(
                _env_file=None,
                **{
                    **{name: getattr(settings, name) for name in ("data", "storage", "experiments", "made_up")},
                    "workspace_name": "mine",
                    "signal_experiment": "tiny",
                    "kite_root": exchange.url,
                    "kite_api_key": exchange.api_key,
                    "kite_access_token": SecretStr(exchange.access_token()),
                },
            ),
            exchange,
        )


def on(moment: str) -> type[datetime]:
    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromisoformat(moment).replace(tzinfo=IST).astimezone(tz)

    return Then


def test_from_a_logged_in_account_to_its_basket(
    live: tuple[Settings, RunningExchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, exchange = live
    signal = signal_of(settings)
    wanted = signal.loc[signal["target_shares"] > 0, "symbol"].tolist()
    unwanted = signal.loc[signal["target_shares"] == 0, "symbol"].iloc[0]
    exchange.account = Account(
        holdings=[
            holding(unwanted, 50, collateral_quantity=10),
            holding("MINE", 5),
            holding(f"{wanted[0]}-BE", 2),
        ],
        cash=300_000.0,
        debits=50_000.0,
        collateral=1e6,
    )
    before = json.dumps([exchange.account.holdings, exchange.account.cash])
    monkeypatch.setattr(order_proposal, "datetime", on("2023-01-23 08:00"))
    result, said = made(settings, holdings="kite", basket_orders=2, **FREE)
    assert result.success, failure_of(result)
    assert said["money"] == 250_000
    orders, text, forms = orders_of(settings), page_of(settings), Forms()
    forms.feed(text)
    sold = orders[orders["side"] == "sell"]
    assert sold["symbol"].tolist() == [unwanted] and sold["shares"].tolist() == [50]
    assert "10 shares pledged" in text and "it is your own" in text
    assert forms.found[0]["action"] == f"{exchange.url}/connect/basket"
    # As the browser posts them.
    for form in forms.found:
        answer = requests.post(form["action"], data={name: form[name] for name in ("api_key", "data")}, timeout=5)
        assert answer.status_code == 200
    shown = [order for basket in exchange.account.baskets for order in basket]
    assert [order["tradingsymbol"] for order in shown] == orders["symbol"].tolist()
    assert [order["quantity"] for order in shown] == orders["shares"].tolist()
    assert max(map(len, exchange.account.baskets)) == 2
    assert json.dumps([exchange.account.holdings, exchange.account.cash]) == before
    assert not [path for path in exchange.traffic.by_path if path.startswith(("/orders", "/gtt"))]
    token = settings.kite_access_token
    assert token is not None and token.get_secret_value() not in text


def test_a_signal_for_a_session_that_is_over_gives_none(live: tuple[Settings, RunningExchange]) -> None:
    settings, _ = live
    told = failure_of(made(settings, holdings="kite")[0])
    assert told == (
        f"no orders for {TRADES_ON}: the signal is for {TRADES_ON}, which is over: materialize daily_signals"
    )


def test_a_login_that_expired_is_told_and_leaves_no_page_of_before(
    live: tuple[Settings, RunningExchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, exchange = live
    monkeypatch.setattr(order_proposal, "datetime", on("2023-01-20 20:00"))
    assert made(settings, holdings="kite")[0].success and "<form" in page_of(settings)
    exchange.exchange.login.end_all()
    told = failure_of(made(settings, holdings="kite")[0])
    assert "niftyformer login" in told and "\n" not in told
    assert "<form" not in page_of(settings) and len(orders_of(settings)) == 0
