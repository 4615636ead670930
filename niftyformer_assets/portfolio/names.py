"""Names that settings, records and tables share: of what an experiment is told by, who is traded, and exposures."""

from __future__ import annotations

# What an experiment is called, and how it came by its values, is no setting of it.
NAMES = ("name", "market", "overrides")
MODEL = "model"
EQUAL_WEIGHT = "equal weight, all stocks"
# What stocks are divided by, and what their scores may be freed of, beside the factors of an experiment's panel.
SIZE, SECTOR = "size", "sector"
