from __future__ import annotations

import socket
import stat
import threading
from datetime import datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from niftyformer_assets.market.calendar import IST
from niftyformer_assets.market.login import AccessToken, expiry, find_token, login, login_address, store_token
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets_tests.market.world import at, world

OPENER = build_opener(ProxyHandler({}))


def browser(address: str) -> None:
    """Follows redirects as a browser does, in its own thread as a browser is."""
    threading.Thread(target=lambda: OPENER.open(address, timeout=10).read(), daemon=True).start()


def test_one_click(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "home" / "token.json"
    with world(tmp_path, at("2024-05-31")) as (it, clock):
        token = login(
            it.exchange.api_key,
            it.exchange.api_secret,
            file,
            root=it.exchange.url,
            login_page=f"{it.exchange.url}/connect/login",
            port=0,
            open_page=browser,
            now=clock,
        )
        it.token = token.value
        assert "DEMO001" in it.session().instruments()
    assert token.expires == datetime(2024, 6, 1, 6, tzinfo=IST)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert find_token(file, at("2024-05-31", "23:00"), {}) == token
    assert token.value not in repr(token)
    printed = capfd.readouterr()
    assert "request_token" not in printed.out + printed.err
    assert token.value not in printed.out + printed.err


def test_an_idle_connection_blocks_nobody(tmp_path: Path) -> None:
    """Browsers open connections they may never use."""
    idle: list[socket.socket] = []

    def eager_browser(address: str) -> None:
        port = urlsplit(parse_qs(urlsplit(address).query)["redirect_url"][0]).port
        idle.append(socket.create_connection(("127.0.0.1", port or 0)))
        browser(address)

    with world(tmp_path, at("2024-05-31")) as (it, _):
        token = login(
            it.exchange.api_key,
            it.exchange.api_secret,
            tmp_path / "token.json",
            root=it.exchange.url,
            login_page=f"{it.exchange.url}/connect/login",
            port=0,
            open_page=eager_browser,
            timeout_s=10,
        )
    assert token.value
    idle[0].close()


def test_a_redirect_that_was_not_asked_for_changes_nothing(tmp_path: Path) -> None:
    def attack(address: str) -> None:
        port = urlsplit(parse_qs(urlsplit(address).query)["redirect_url"][0]).port
        for query, status in (
            ("request_token=evil&status=success&state=guess", 403),
            ("request_token=evil&status=success&state=%C3%A9%FF", 403),
            ("request_token=evil&status=success&state=", 403),
            ("", 404),
        ):
            with pytest.raises(HTTPError) as caught:
                OPENER.open(f"http://127.0.0.1:{port}/?{query}", timeout=5)
            assert caught.value.code == status

    with world(tmp_path, at("2024-05-31")) as (it, _), pytest.raises(NiftyFormerError, match="nobody logged in"):
        login(
            it.exchange.api_key,
            it.exchange.api_secret,
            tmp_path / "token.json",
            root=it.exchange.url,
            login_page=f"{it.exchange.url}/connect/login",
            port=0,
            open_page=attack,
            timeout_s=0.3,
        )
    assert not (tmp_path / "token.json").exists()


def test_a_refused_secret_tells_no_token(tmp_path: Path) -> None:
    with (
        world(tmp_path, at("2024-05-31")) as (it, _),
        pytest.raises(NiftyFormerError, match="log in once more") as caught,
    ):
        login(
            it.exchange.api_key,
            "wrong",
            tmp_path / "token.json",
            root=it.exchange.url,
            login_page=f"{it.exchange.url}/connect/login",
            port=0,
            open_page=browser,
        )
    assert "wrong" not in str(caught.value)
    assert not (tmp_path / "token.json").exists()


def test_the_port_is_taken(tmp_path: Path) -> None:
    with world(tmp_path, at("2024-05-31")) as (it, _):
        port = urlsplit(it.exchange.url).port
        assert port is not None
        with pytest.raises(NiftyFormerError, match=f"port {port}"):
            login("key", "secret", tmp_path / "token.json", port=port, open_page=lambda _: None)


def test_the_page_that_is_opened() -> None:
    query = parse_qs(urlsplit(login_address("https://kite.zerodha.com/connect/login", "key", "abc", 8721)).query)
    assert query == {"v": ["3"], "api_key": ["key"], "redirect_params": ["state=abc"]}


@pytest.mark.parametrize(
    ("login_time", "expected"),
    [("2024-05-31T09:00", "2024-06-01"), ("2024-05-31T05:59", "2024-05-31"), ("2024-05-31T06:00", "2024-06-01")],
)
def test_a_token_lives_until_six(login_time: str, expected: str) -> None:
    dies = expiry(datetime.fromisoformat(login_time).replace(tzinfo=IST))
    assert dies == datetime.fromisoformat(f"{expected}T06:00").replace(tzinfo=IST)


def test_finding_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token.json"
    with pytest.raises(NiftyFormerError, match=r"nobody has logged in.*niftyformer login"):
        find_token(file, at("2024-05-31"), {})
    store_token(file, AccessToken("secret", at("2024-06-01", "06:00")))
    assert find_token(file, at("2024-05-31"), {}).value == "secret"
    assert find_token(file, at("2024-05-31"), {"KITE_ACCESS_TOKEN": "given"}).value == "given"
    with pytest.raises(NiftyFormerError, match="expired at 2024-06-01 06:00 IST: run `niftyformer login`") as caught:
        find_token(file, at("2024-06-01", "06:00"), {})
    assert "secret" not in str(caught.value)
    for torn in (
        '{"access_token": "secret"',
        '{"access_token": "secret", "expires": "2024-06-01T06:00:00"}',
        '{"access_token": "secret", "expires": null}',
        '{"access_token": null, "expires": "2024-06-01T06:00:00+05:30"}',
    ):
        file.write_text(torn)
        with pytest.raises(NiftyFormerError, match="damaged") as caught:
            find_token(file, at("2024-05-31"), {})
        assert "secret" not in str(caught.value)
