"""struc2vec: stocks that play the same role in the graph lie close together.

Ribeiro, Saverese, Figueiredo (2017), "struc2vec: Learning Node Representations from Structural
Identity", KDD. One stage a file: `rings` (the degrees around each node), `dtw` (how far apart two
such lists are), `multilayer` (the graph of those distances), `walks` over it, `skipgram`.
"""

from niftyformer_assets.dataset.struc2vec.embed import struc2vec as struc2vec
