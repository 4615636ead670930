from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from niftyformer_assets.dataset.correlation import correlation_adjacency
from niftyformer_assets.dataset.embed import graph_embedding
from niftyformer_assets.dataset.embedding import save_embedding
from niftyformer_assets.dataset.information import information
from niftyformer_assets.dataset.settings import GraphSettings
from niftyformer_assets.dataset.struc2vec import struc2vec
from niftyformer_assets.dataset.struc2vec.dtw import ring_distances
from niftyformer_assets.dataset.struc2vec.multilayer import multilayer
from niftyformer_assets.dataset.struc2vec.rings import degree_lists, distances
from niftyformer_assets.dataset.struc2vec.walks import random_walks
from niftyformer_assets.store.arrays import Axes, load_arrays
from niftyformer_assets.store.errors import NiftyFormerError

from ..shared_data import shared
from .made_up import SYMBOLS, TRAIN, axes, returns

GRAPH = nx.gnp_random_graph(40, 0.12, seed=3)
GRAPH.add_nodes_from((40, 41))  # isolated
EDGES = nx.to_numpy_array(GRAPH, nodelist=range(42)) > 0
SMALL = GraphSettings(walks=4, walk_length=20, dimensions=16)


def rings_of(edges: np.ndarray) -> list[np.ndarray]:
    hops = distances(edges)
    return [ring_distances(lists, threads=2) for lists in degree_lists(edges, hops, int(hops.max()) + 1)]


def warp(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> float:
    """Dynamic time warping from its definition."""
    best = {(-1, -1): 0.0}
    for (i, (a, m)), (j, (b, n)) in itertools.product(enumerate(first), enumerate(second)):
        cost = ((max(a, b) + 0.5) / (min(a, b) + 0.5) - 1) * max(m, n)
        before = (best.get(place, np.inf) for place in ((i - 1, j), (i, j - 1), (i - 1, j - 1)))
        best[i, j] = cost + min(before)
    return best[len(first) - 1, len(second) - 1]


def test_hops_equal_networkx() -> None:
    expected = np.full((42, 42), -1)
    for a, reached in nx.all_pairs_shortest_path_length(GRAPH):
        for b, hops in reached.items():
            expected[a, b] = hops
    np.testing.assert_array_equal(distances(EDGES), expected)


def test_degree_lists_by_hand() -> None:
    star = nx.to_numpy_array(nx.Graph([(0, 1), (0, 2), (0, 3), (3, 4)]), nodelist=range(5)) > 0
    around = degree_lists(star, distances(star), 3)
    centre = slice(around[1].start[0], around[1].start[1])
    assert around[1].degree[centre].tolist() == [1, 2]
    assert around[1].count[centre].tolist() == [2, 1]
    assert around[2].exists.tolist() == [True, True, True, True, True]
    assert around[0].degree.tolist() == [3, 1, 1, 2, 1]


def test_warping_is_exact() -> None:
    hops = distances(EDGES)
    degree = EDGES.sum(axis=1)
    for layer, ours in enumerate(rings_of(EDGES)):
        encoded = []
        for node in range(42):
            ring = np.sort(degree[hops[node] == layer])
            encoded.append([(int(d), len(list(same))) for d, same in itertools.groupby(ring)])
        expected = np.array([[warp(a, b) if a and b else np.inf for b in encoded] for a in encoded])
        np.fill_diagonal(expected, 0)
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(ours, ours.T)


def test_the_order_of_the_columns_means_nothing() -> None:
    order = np.random.default_rng(0).permutation(42)
    for ours, shuffled in zip(rings_of(EDGES), rings_of(EDGES[order][:, order]), strict=True):
        np.testing.assert_array_equal(ours[order][:, order], shuffled)


def test_distances_do_not_depend_on_the_number_of_threads() -> None:
    hops = distances(EDGES)
    for lists in degree_lists(EDGES, hops, int(hops.max()) + 1):
        np.testing.assert_array_equal(ring_distances(lists, threads=1), ring_distances(lists, threads=3))


def test_layers_by_hand() -> None:
    # A chain of three: the ends are alike in both layers, the middle has no ring at distance 2.
    chain = nx.to_numpy_array(nx.path_graph(3)) > 0
    rings = rings_of(chain)
    assert rings[0][0, 1] == pytest.approx(2.5 / 1.5 - 1)
    graph = multilayer(rings)
    assert graph.exists.tolist() == [[True, True, True], [True, True, True], [True, False, True]]
    apart = np.exp(-rings[0][0, 1])
    np.testing.assert_allclose(graph.cumulative[0, 0], [0, apart / (1 + apart), 1])
    np.testing.assert_allclose(graph.cumulative[0, 1], [0.5, 0.5, 1])
    np.testing.assert_allclose(graph.cumulative[2, 0], [0, 0, 1])
    # From layer 0 one can only rise; from layer 1 the ends rise with one edge above the mean.
    np.testing.assert_allclose(graph.up[0], [1, 1, 1])
    rise = np.log(1 + np.e)
    np.testing.assert_allclose(graph.up[1], [rise / (rise + 1), 0, rise / (rise + 1)])
    np.testing.assert_allclose(graph.up[2], [0, 0, 0])


def test_walks_go_where_the_layers_say() -> None:
    # Two isolated pairs and three lone nodes: degrees 1 and 0, the lone ones stay in layer 0.
    edges = np.zeros((7, 7), dtype=bool)
    edges[0, 1] = edges[1, 0] = edges[2, 3] = edges[3, 2] = True
    graph = multilayer(rings_of(edges))
    assert graph.exists.tolist() == [[True] * 7, [True] * 4 + [False] * 3]
    paths = random_walks(graph, 400, 30, np.random.default_rng(5))
    assert paths.shape == (2800, 30)
    assert (np.sort(paths[:7, 0]) == np.arange(7)).all()
    assert not (paths[:, 1:] == paths[:, :-1]).any()  # nobody steps onto itself
    lone = paths[:, :-1] >= 4
    chance = np.diff(graph.cumulative[0, 4], prepend=0)
    went = np.bincount(paths[:, 1:][lone & (paths[:, :-1] == 4)], minlength=7)
    np.testing.assert_allclose(went / went.sum(), chance, atol=0.02)


def test_a_walk_of_one_node() -> None:
    assert random_walks(multilayer(rings_of(EDGES)), 2, 1, np.random.default_rng(0)).shape == (84, 1)


def test_nodes_of_the_same_role_lie_together() -> None:
    # Two copies of one tree that share no edge: each node's twin plays exactly its role.
    tree = nx.to_numpy_array(nx.random_labeled_tree(14, seed=2)) > 0
    twins = np.kron(np.eye(2, dtype=bool), tree)
    vectors = struc2vec(twins, walks=10, walk_length=40, dimensions=32, seed=1).vectors
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    twin = similarity[np.arange(14), np.arange(14) + 14]
    others = similarity[:14, 14:][~np.eye(14, dtype=bool)]
    assert np.median(twin) > np.quantile(others, 0.9)


def test_every_row_isolated_ones_included_and_the_time_of_each_stage() -> None:
    made = struc2vec(EDGES, 4, 20, 16, seed=42)
    assert made.vectors.shape == (42, 16) and made.vectors.dtype == np.float32
    assert np.isfinite(made.vectors).all() and (np.abs(made.vectors).max(axis=1) > 0).all()
    assert list(made.seconds) == ["rings", "distances", "layers", "walks", "word2vec"]
    assert all(seconds >= 0 for seconds in made.seconds.values())


def test_the_same_seed_gives_the_same_bits_in_every_process() -> None:
    here = struc2vec(EDGES, 4, 20, 16, seed=42).vectors
    code = """
        import hashlib
        from niftyformer_assets_tests.dataset.test_struc2vec import EDGES, struc2vec
        print(hashlib.sha256(struc2vec(EDGES, 4, 20, 16, seed=42).vectors.tobytes()).hexdigest())
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads},
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed, threads in (("1", "1"), ("2", "2"))
    ]
    for process in running:
        printed, _ = process.communicate(timeout=300)
        assert printed.strip() == hashlib.sha256(here.tobytes()).hexdigest()
    assert (struc2vec(EDGES, 4, 20, 16, seed=43).vectors != here).any()


@pytest.mark.parametrize(
    ("edges", "kind"),
    [
        (np.ones((8, 8)), "each has 7 edges .every pair joined"),
        (np.zeros((8, 8)), "each has 0 edges .no edges at all"),
        (nx.to_numpy_array(nx.cycle_graph(8)), "each has 2 edges .a regular graph"),
        (np.zeros((1, 1)), "each has 0 edges"),
    ],
    ids=["complete", "empty", "ring", "one node"],
)
def test_a_graph_without_structure_is_refused(edges: np.ndarray, kind: str) -> None:
    with pytest.raises(NiftyFormerError, match=f"cannot tell {len(edges)} symbols apart: {kind}"):
        struc2vec(edges, 2, 10, 8, seed=0)


def test_constant_returns_end_in_a_clear_error() -> None:
    adjacency = correlation_adjacency(np.full((80, 6), 0.01), slice(0, 80), SMALL)
    with pytest.raises(NiftyFormerError, match=r"no edges at all.*set graph\.embedding to spectral or none"):
        graph_embedding(adjacency, SMALL, 42)


def test_a_long_chain_stays_small() -> None:
    chain = nx.to_numpy_array(nx.path_graph(60))
    made = struc2vec(chain, 2, 10, 8, seed=0)
    assert made.vectors.shape == (60, 8) and np.isfinite(made.vectors).all()


def test_the_embedding_of_real_candles_carries_information() -> None:
    files = sorted(shared("market_data/kite_daily_2022_2024").glob("*.csv"))
    close = pd.concat({file.stem: pd.read_csv(file, index_col=0)["Close"] for file in files}, axis=1).sort_index()
    values = (close / close.shift(1) - 1).to_numpy()
    adjacency = correlation_adjacency(values, slice(0, 494), GraphSettings())
    # TATATECH, IREDA and BHARTIHEXA are listed within the last 30 training sessions, or after them.
    isolated = {symbol for symbol, row in zip(close.columns, adjacency, strict=True) if not row.any()}
    assert isolated == {"TATATECH", "IREDA", "BHARTIHEXA"}
    listed = pd.read_csv(shared("market_data/reference/nse_sectors.csv")).set_index("symbol")["nse_sector"]
    sectors = [str(listed.get(symbol, "unknown")) for symbol in close.columns]
    for embedding in ("struc2vec", "spectral"):
        settings = GraphSettings(embedding=embedding, walks=4, walk_length=40, dimensions=32)  # type: ignore[arg-type]
        found = information(graph_embedding(adjacency, settings, 42).vectors, adjacency, sectors, 42)
        assert found.degree.significant and found.sector.significant


def test_self_loops_do_not_count_and_the_input_is_left_alone() -> None:
    looped = EDGES.astype(float) + np.eye(42)
    kept = looped.copy()
    np.testing.assert_array_equal(struc2vec(looped, 2, 10, 8, 0).vectors, struc2vec(EDGES, 2, 10, 8, 0).vectors)
    np.testing.assert_array_equal(looped, kept)


@pytest.mark.parametrize("embedding", ["struc2vec", "spectral", "none"])
def test_cutting_the_candles_after_training_changes_nothing(embedding: str) -> None:
    settings = GraphSettings(embedding=embedding, walks=2, walk_length=10, dimensions=8)  # type: ignore[arg-type]
    made = [
        graph_embedding(correlation_adjacency(returns()[:cut], TRAIN, settings), settings, 42).vectors
        for cut in (TRAIN.stop, TRAIN.stop + 5, None)
    ]
    np.testing.assert_array_equal(made[0], made[2])
    np.testing.assert_array_equal(made[1], made[2])


def test_the_file_is_a_bare_array_checked_against_its_index(tmp_path: Path) -> None:
    path = tmp_path / "128_corr_struc2vec_adjgat.npy"
    vectors = graph_embedding(correlation_adjacency(returns(), TRAIN, SMALL), SMALL, 42).vectors
    save_embedding(path, vectors, axes())
    np.testing.assert_array_equal(np.load(path), vectors)
    np.testing.assert_array_equal(load_arrays(path, axes())[0][path.stem], vectors)
    with pytest.raises(NiftyFormerError, match=r"adjgat\.npy .*24 symbols against 23"):
        load_arrays(path, Axes(axes().dates, axes().symbols[:-1]))
    for damaged in (vectors[::-1], vectors[:-1]):
        np.save(path, damaged)
        with pytest.raises(NiftyFormerError, match=r"adjgat\.npy is damaged: it is not the file"):
            load_arrays(path)
    with pytest.raises(ValueError, match="does not fit"):
        save_embedding(path, vectors[: SYMBOLS - 1], axes())
