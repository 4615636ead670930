"""Dynamic time warping between degree lists, compiled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from niftyformer_assets.compiling import kernel
from niftyformer_assets.dataset.struc2vec.rings import DegreeLists

# Lists that are warped side by side, a lane each: every cell waits for its left neighbour, so one
# list at a time leaves the processor's vector units idle (16 lanes are 4 × faster than 1).
LANES = 16


def ring_distances(lists: DegreeLists, threads: int) -> np.ndarray:
    """Exact dynamic time warping between the lists of every two nodes.

    Aligning degree a (occurring m times) with degree b (n times) costs
    ((max(a, b) + ½) / (min(a, b) + ½) − 1) · max(m, n): the cost of the published method on its
    compressed lists (its first optimisation), the half keeping degree 0 apart from a division by 0.

    Returns:
        float64 [N, N], symmetric, zero diagonal; inf where one of the two rings is empty.
    """
    nodes = len(lists.start) - 1
    between = np.full((nodes, nodes), np.inf)
    present, kind = _distinct(lists)
    between[np.ix_(present, present)] = _warp_all(*_shortest_first(lists, present, kind), threads)[np.ix_(kind, kind)]
    np.fill_diagonal(between, 0.0)
    return between


def _distinct(lists: DegreeLists) -> tuple[np.ndarray, np.ndarray]:
    """The nodes with a list, and for each the number of its list among the distinct ones, shortest first.

    Equal lists are the rule in the first layer and the last: each distinct pair is warped once.
    """
    present = np.flatnonzero(lists.exists)
    keys = [
        (int(b - a), lists.degree[a:b].tobytes(), lists.count[a:b].tobytes())
        for a, b in zip(lists.start[present], lists.start[present + 1], strict=True)
    ]
    number = {key: place for place, key in enumerate(sorted(set(keys)))}
    return present, np.array([number[key] for key in keys], dtype=np.int64)


def _shortest_first(
    lists: DegreeLists, present: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct lists one after the other: their starts, degrees + ½ and counts."""
    _, first = np.unique(kind, return_index=True)
    places = [np.arange(lists.start[node], lists.start[node + 1]) for node in present[first]]
    start = np.cumsum([0, *(len(place) for place in places)], dtype=np.int64)
    chosen = np.concatenate(places) if places else np.arange(0)
    return start, lists.degree[chosen] + 0.5, lists.count[chosen]


def _warp_all(start: np.ndarray, degree: np.ndarray, count: np.ndarray, threads: int) -> np.ndarray:
    """Warp all lists with all: float64 [lists, lists]."""
    lists = len(start) - 1
    length = np.diff(start)
    blocks = range(0, lists, LANES)
    # Lists are ordered by length, so the last of a block is its longest; the others are padded. What
    # lies beyond a list's own end cannot reach back into it.
    rows = np.concatenate([[0], np.cumsum([length[block : block + LANES].max() for block in blocks])]).astype(np.int64)
    lanes_degree, lanes_count = np.ones((rows[-1], LANES)), np.zeros((rows[-1], LANES))
    for number, block in enumerate(blocks):
        for lane, item in enumerate(range(block, min(block + LANES, lists))):
            place = slice(rows[number], rows[number] + length[item])
            lanes_degree[place, lane] = degree[start[item] : start[item + 1]]
            lanes_count[place, lane] = count[start[item] : start[item + 1]]
    out = np.empty((lists, lists))
    work = (start, degree, count, rows, lanes_degree, 1 / lanes_degree, lanes_count, out)
    # The compiled code releases the interpreter's lock; blocks are dealt out in turn, as they grow.
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_warp_blocks, *work, offset, threads) for offset in range(threads)]:
            done.result()
    return out


# With its types given it is compiled when this module is loaded, once a machine, and not amid a stage.
@kernel(signature="void(i8[::1], f8[::1], f8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8, i8)")
def _warp_blocks(  # type: ignore[no-untyped-def]
    start, degree, count, rows, lanes_degree, lanes_inverse, lanes_count, out, offset, stride
):
    """Warp the blocks offset, offset + stride, … with every list up to their own; fill `out` both ways."""
    lists = len(start) - 1
    longest = 0
    for item in range(lists):
        longest = max(longest, start[item + 1] - start[item])
    above = np.empty((longest + 1, LANES))
    row = np.empty((longest + 1, LANES))
    for block in range(offset, len(rows) - 1, stride):
        first, width = rows[block], rows[block + 1] - rows[block]
        for item in range(min(lists, (block + 1) * LANES)):
            above[:] = np.inf
            above[0] = 0.0
            for a in range(start[item], start[item + 1]):
                own, own_inverse, own_count = degree[a], 1 / degree[a], count[a]
                row[0] = np.inf
                for b in range(width):
                    for lane in range(LANES):
                        ratio = own * lanes_inverse[first + b, lane]
                        other = lanes_degree[first + b, lane] * own_inverse
                        ratio = other if other > ratio else ratio
                        times = lanes_count[first + b, lane]
                        times = own_count if own_count > times else times
                        best = above[b, lane]
                        best = above[b + 1, lane] if above[b + 1, lane] < best else best
                        best = row[b, lane] if row[b, lane] < best else best
                        row[b + 1, lane] = best + (ratio - 1.0) * times
                above, row = row, above
            for lane in range(min(LANES, lists - block * LANES)):
                other_item = block * LANES + lane
                out[item, other_item] = above[start[other_item + 1] - start[other_item], lane]
                out[other_item, item] = out[item, other_item]
