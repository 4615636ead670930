"""Rows of `dataset`: what a model sees."""

from __future__ import annotations

from niftyformer_assets.artifacts.rows import SCOPE, SCOPE_SECTIONS, Artifact, Read, row


def dataset_rows() -> tuple[Artifact, ...]:
    return (
        row(
            "flow",
            "experiment",
            lambda place: (place.flow,),
            "dataset/flow",
            {"numpy", "wavelet"},
            "Daily returns and their wavelet bands, from `returns`.\n\n"
            "`flow.npz`: `result` [sessions, symbols] (missing = 0), `low_freq` and `high_freq` "
            "[windows, sessions of a window, symbols]; simple returns, not percent. Each window is decomposed by "
            "itself, so no band sees past its window. Beside it `experiment.json` and `stockformer.conf`, with which "
            "the published code trains on this folder. Where a label is net of the market or the sector, `market`, "
            "`beta` and `sector` too.",
            reads=(
                "returns",
                *SCOPE,
                Read("sector_dummies", lambda experiment: bool(experiment.windows.net_of)),
            ),
            sections=SCOPE_SECTIONS | {"windows", "wavelet"},
        ),
        row(
            "trend_indicator",
            "experiment",
            lambda place: (place.trend_indicator,),
            "dataset/trend",
            {"numpy"},
            "Whether each return is above 0, from `returns`.\n\n"
            "`trend_indicator.npz`: `result` 0/1 [sessions, symbols] (missing = 0) and `valid`, False where there was "
            "no return.",
            reads=("returns", *SCOPE),
            sections=SCOPE_SECTIONS,
        ),
        row(
            "corr_adj",
            "experiment",
            lambda place: (place.corr_adj, place.corr_graph),
            "dataset/correlation",
            {"numpy", "networkx"},
            "The graph of stocks that move together, from `returns` of the training sessions only (or from "
            "`neutralized_factors`, by a setting).\n\n"
            "`corr_adj.npy`: correlations [symbols, symbols], those under the threshold and the diagonal 0; "
            "`corr_adj.graphml`: the same as a graph with every symbol and its sector.",
            reads=(
                "returns",
                *SCOPE,
                Read("neutralized_factors", lambda experiment: experiment.graph.source == "factors"),
            ),
            sections=SCOPE_SECTIONS | {"graph"},
        ),
        row(
            "graph_embeddings",
            "experiment",
            lambda place: (place.graph_embeddings,),
            "dataset/embedding",
            {"numpy", "gensim"},
            "A vector for each stock that says where it stands in `corr_adj`: struc2vec, spectral or none.\n\n"
            "`128_corr_struc2vec_adjgat.npy`: [symbols, dimensions], rows in the order of the symbols. The name is "
            "the published one, whatever the setting.",
            reads=("corr_adj", *SCOPE),
            sections=frozenset({"graph", "seed"}),
        ),
    )
