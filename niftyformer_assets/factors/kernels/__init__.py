"""Compiled loops over a block of lanes.

A *lane* is one unbroken stretch of one stock's candles, so that no kernel ever sees a listing or a
broken adjustment in the middle of a window. A block holds L lanes side by side in arrays [rows, L]:
the loop over lanes is the inner one, and the compiler turns it into vector instructions. Before the
first session lie `HISTORY` rows in which everything is missing, so that a window never asks whether
it has reached the beginning.

A family of factors goes through its block a *stretch* of rows at a time, short enough for what is
computed to stay in the processor's cache; the `HISTORY` rows before a stretch come along.

Each of the windows 5, 10, 20, 30, 60 is put together from two shorter ones (10 = 5+5, 20 = 10+10,
30 = 20+10, 60 = 30+30): a value depends on the rows of its own window only, nothing is added up from
session to session and nothing drifts. That is why a run over the newest sessions alone gives the
same bits as a run over all.
"""

WINDOWS = (5, 10, 20, 30, 60)
HISTORY = 60
