from __future__ import annotations

from dataclasses import replace

import numpy as np

from niftyformer_assets_tests.portfolio.markets import plain_market
from niftyformer_assets_tests.portfolio.trading import DROPOUT, PLAN, always, names, trade

# --- the published setting's strategy ---------------------------------------------------------------------------------


def test_plan_buys_the_best_at_equal_weight() -> None:
    market = plain_market(np.full((3, 6), 50.0))
    result = trade(market, always(3, [1, 5, 2, 4, 3, 0]), replace(PLAN, top_k=3))
    assert names(result, 1) == {1, 3, 4}
    np.testing.assert_array_equal(result.holdings[1][[1, 3, 4]], 1_000_000 // 3 // 50)


def test_plan_restores_equal_weights_every_fifth_session_and_leaves_names_alone() -> None:
    growth = np.array([1.03, 1.0, 0.98, 1.01])
    market = plain_market(100 * growth ** np.arange(14)[:, None])
    rng = np.random.default_rng(0)
    result = trade(market, rng.random((14, 4)), replace(PLAN, top_k=2, drop_every=100))
    traded = sorted(
        {
            int(np.searchsorted(market.axes.dates, day))
            for day in result.trades["session"].to_numpy().astype("datetime64[D]")
        }
    )
    assert traded == [1, 6, 11]
    assert len({frozenset(names(result, t)) for t in range(1, 14)}) == 1
    for t in traded:
        held = result.weights[t][result.holdings[t] > 0]
        assert np.ptp(held) < 0.001


def test_plan_drops_the_worst_fifth_every_tenth_session() -> None:
    N = 20
    market = plain_market(np.full((23, N), 100.0))
    first = np.arange(N, 0, -1.0)
    later = np.where(np.arange(N) < 10, first, 50 - first)  # 10..19 rise; among the held 9 and 8 are the worst
    scores = np.vstack([np.tile(first, (5, 1)), np.tile(later, (18, 1))])
    result = trade(market, scores)
    assert names(result, 10) == set(range(10))
    assert names(result, 11) == set(range(8)) | {19, 18}
    dropped = result.trades[result.trades["reason"] == "drop"]
    assert dropped["symbol"].tolist()[:2] == ["S008", "S009"]
    assert names(result, 20) == names(result, 11)
    assert len(dropped) == 4  # sessions 11 and 21


def test_plan_drops_a_name_without_a_score_first() -> None:
    market = plain_market(np.full((13, 6), 100.0))
    scores = always(13, [6, 5, 4, 3, 2, 1])
    scores[10, 0] = np.nan
    result = trade(market, scores, replace(PLAN, top_k=4, drop_share=0.25))
    assert names(result, 10) == {0, 1, 2, 3}
    assert names(result, 11) == {1, 2, 3, 4}


# --- TopK-dropout ----------------------------------------------------------------------------------------


def test_dropout_swaps_only_where_the_newcomer_ranks_higher() -> None:
    market = plain_market(np.full((4, 6), 100.0))
    scores = np.array([[6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1], [6, 1, 4, 5, 2, 3], [6, 1, 4, 5, 2, 3]], dtype=float)
    result = trade(market, scores, replace(DROPOUT, top_k=3, n_drop=2))
    assert names(result, 1) == names(result, 2) == {0, 1, 2}
    assert names(result, 3) == {0, 2, 3}  # 1 fell below 3; 2 still ranks above 5


def test_dropout_keeps_a_name_for_hold_sessions() -> None:
    market = plain_market(np.full((6, 2), 100.0))
    scores = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1]], dtype=float)
    for hold, sold in ((1, 2), (3, 4)):
        result = trade(market, scores, replace(DROPOUT, top_k=1, n_drop=1, hold_sessions=hold))
        assert [names(result, t) for t in (1, sold - 1, sold)] == [{0}, {0}, {1}]


def test_dropout_does_not_rebalance_what_it_keeps() -> None:
    growth = np.array([1.05, 1.0, 0.97])
    market = plain_market(100 * growth ** np.arange(8)[:, None])
    result = trade(market, always(8, [3, 2, 1]), replace(DROPOUT, top_k=2, n_drop=1))
    assert len(result.trades) == 2
    np.testing.assert_array_equal(result.holdings[1], result.holdings[-1])


def test_a_blocked_sell_never_leads_to_more_than_top_k() -> None:
    close = np.full((8, 10), 100.0)
    volume = np.full(close.shape, 1e6)
    volume[2:6, :3] = 0  # what is held cannot be sold
    rng = np.random.default_rng(1)
    scores = rng.random(close.shape)
    scores[0] = np.arange(10, 0, -1)
    scores[1:, :3] = -1
    result = trade(plain_market(close, volume=volume), scores, replace(DROPOUT, top_k=3, n_drop=3))
    assert ((result.holdings > 0).sum(axis=1) <= 3).all()
    assert {0, 1, 2} == names(result, 5)
    assert set(result.unfilled["status"]) >= {"no_volume", "no_place"}
    assert (result.unfilled.query("status == 'no_volume'")["side"] == "sell").any()
    assert not names(result, 6) & {0, 1, 2}


def test_dropout_never_buys_more_than_its_places() -> None:
    market = plain_market(np.full((30, 12), 10.0))
    rng = np.random.default_rng(5)
    result = trade(market, rng.random((30, 12)), replace(DROPOUT, top_k=2, n_drop=2, hold_sessions=7))
    assert ((result.holdings > 0).sum(axis=1) <= 2).all()
