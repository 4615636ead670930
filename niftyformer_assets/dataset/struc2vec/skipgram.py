"""Skip-gram over the walks, by gensim."""

from __future__ import annotations

import numpy as np

CONTEXT = 10  # nodes on either side, as published
EPOCHS = 5


def skipgram(walks: np.ndarray, nodes: int, dimensions: int, seed: int) -> np.ndarray:
    """Vectors of the nodes such that those that meet on walks are alike: float32 [nodes, dimensions].

    Skip-gram with hierarchical softmax, as published. One worker, and vectors that start from the
    seed alone: the same walks and seed give the same bits on one machine, whatever PYTHONHASHSEED is.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        [[str(node) for node in walk] for walk in walks.tolist()],
        vector_size=dimensions,
        window=CONTEXT,
        min_count=0,
        sg=1,
        hs=1,
        negative=0,
        epochs=EPOCHS,
        workers=1,
        seed=seed,
    )
    return np.stack([model.wv[str(node)] for node in range(nodes)])
