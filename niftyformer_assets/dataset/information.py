"""Does an embedding of the graph carry information, or is it a column of noise?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from niftyformer_assets import pictures
from niftyformer_assets.dataset.graph import UNKNOWN_SECTOR
from niftyformer_assets.finding import Finding

SIGNIFICANT = 0.01


@dataclass(frozen=True)
class Agreement:
    """How much alike each symbol and its neighbours in the embedding are.

    observed: mean over symbols and neighbours.
    shuffled: the same with the rows shuffled, mean over the shuffles.
    p_value: share of shuffles at least as good, counting the observed one among them.
    """

    observed: float
    shuffled: float
    p_value: float

    @property
    def significant(self) -> bool:
        return self.p_value < SIGNIFICANT


@dataclass(frozen=True)
class Information:
    """What the neighbours in an embedding have in common.

    degree: mean difference of their numbers of edges (lower is more alike).
    sector: share of neighbours in the same sector.
    order: mean distance between their columns. Symbols stand in alphabetical order, which means
        nothing: an embedding that knows it has encoded how the data is laid out.
    """

    degree: Agreement
    sector: Agreement
    order: Agreement

    @property
    def informative(self) -> bool:
        """Neighbours agree in degree or in sector more than chance would have it."""
        return self.degree.significant or self.sector.significant

    @property
    def encodes_order(self) -> bool:
        """Neighbours stand closer in the list of symbols than chance would have it."""
        return self.order.significant

    def __str__(self) -> str:
        verdict = "carries information" if self.informative else "carries no information"
        warning = "; it encodes the order of the symbols" if self.encodes_order else ""
        return (
            f"The embedding {verdict}{warning}. Neighbours differ by {self.degree.observed:.1f} in degree "
            f"(shuffled {self.degree.shuffled:.1f}, p = {self.degree.p_value:.3f}); {self.sector.observed:.0%} share "
            f"the sector (shuffled {self.sector.shuffled:.0%}, p = {self.sector.p_value:.3f})."
        )


def information(
    vectors: np.ndarray,
    adjacency: np.ndarray,
    sectors: Sequence[str],
    seed: int,
    neighbours: int = 5,
    shuffles: int = 999,
) -> Information:
    """Compare each symbol with its nearest neighbours in the embedding, against shuffled rows.

    Neighbours are the symbols of the highest cosine similarity. Where all rows are alike (embedding
    `none`) there are no nearest ones, and every p-value is 1. A symbol of sector "unknown" shares it
    with none.

    Args:
        vectors: float [N, D], a row a symbol.
        adjacency: float [N, N]; entries that are not 0 are edges.
        sectors: the sector of each symbol, [N].
        neighbours: how many of each symbol are looked at, at most N-1.
    """
    count = len(vectors)
    degree = np.count_nonzero(adjacency, axis=1).astype(np.float64)
    names = sorted(set(sectors))
    sector = np.array([-1 - n if name == UNKNOWN_SECTOR else names.index(name) for n, name in enumerate(sectors)])
    order = np.arange(count)
    alike = bool(np.all(vectors == vectors[0]))
    near = _nearest(vectors, min(neighbours, count - 1))
    rng = np.random.default_rng(seed)
    rows = np.stack([order, *(rng.permutation(count) for _ in range(shuffles))])

    def agreement(attribute: np.ndarray, likeness: str) -> Agreement:
        # Shuffling the rows of the embedding gives each symbol the neighbours of another.
        own, others = attribute[rows][:, :, None], attribute[rows[:, near]]
        if likeness == "equal":
            values = (own == others).mean(axis=(1, 2))
            at_least_as_good = values >= values[0]
        else:
            values = np.abs(own - others).mean(axis=(1, 2))
            at_least_as_good = values <= values[0]
        if alike:
            return Agreement(float(values[1:].mean()), float(values[1:].mean()), 1.0)
        return Agreement(float(values[0]), float(values[1:].mean()), float(at_least_as_good.mean()))

    return Information(
        degree=agreement(degree, "close"), sector=agreement(sector, "equal"), order=agreement(order, "close")
    )


def carries_information(found: Information) -> Finding:
    """Neighbours agree in degree or in sector more than by chance, and the order of the symbols is not encoded."""
    return Finding(
        found.informative and not found.encodes_order,
        str(found),
        {
            f"{name}_{figure}": value
            for name, agreement in (("degree", found.degree), ("sector", found.sector), ("order", found.order))
            for figure, value in asdict(agreement).items()
        },
    )


def embedding_information(
    vectors: np.ndarray, adjacency: np.ndarray, sectors: Sequence[str], seed: int
) -> pd.DataFrame:
    """`information` as a table: a row each for degree, sector and order."""
    found = information(vectors, adjacency, sectors, seed)
    rows = {
        "difference in degree": found.degree,
        "share in the same sector": found.sector,
        "distance in the list of symbols": found.order,
    }
    return pd.DataFrame(
        {
            "of neighbours in the embedding": list(rows),
            "observed": [row.observed for row in rows.values()],
            "rows shuffled": [row.shuffled for row in rows.values()],
            "p": [row.p_value for row in rows.values()],
            "verdict": ["agree" if row.significant else "as by chance" for row in rows.values()],
        }
    )


def embedding_picture(vectors: np.ndarray, adjacency: np.ndarray, sectors: Sequence[str]) -> bytes:
    """The embedding along its two principal axes, as PNG: coloured by degree, and by sector."""
    degree = np.count_nonzero(adjacency, axis=1)
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(vectors), 2))
    # A singular vector's sign is arbitrary: the largest weight is made positive.
    for axis in range(min(2, len(singular))):
        sign = np.sign(right[axis, np.abs(right[axis]).argmax()]) or 1.0
        points[:, axis] = sign * singular[axis] * left[:, axis]
    figure = pictures.figure(12, 4.5)
    by_degree, by_sector = figure.subplots(1, 2, sharex=True, sharey=True)
    drawn = by_degree.scatter(points[:, 0], points[:, 1], c=degree, s=18, cmap="viridis")
    figure.colorbar(drawn, ax=by_degree, label="edges")
    by_degree.set(title="by degree", xlabel="first principal axis", ylabel="second principal axis")
    names = sorted(set(sectors))
    for name, colour in zip(names, pictures.colours(len(names)), strict=True):
        of = np.array([sector == name for sector in sectors])
        by_sector.scatter(points[of, 0], points[of, 1], s=18, color=colour, label=name)
    by_sector.set(title="by sector", xlabel="first principal axis")
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    return pictures.png(figure)


def _nearest(vectors: np.ndarray, neighbours: int) -> np.ndarray:
    """Indices of the nearest other rows by cosine: int [N, neighbours]; a zero row is near to none."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1.0)
    similarity = (unit @ unit.T).astype(np.float64)
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :neighbours]
