"""What an experiment is told by, and what tables call the model that is traded and all stocks held at equal weight."""

from __future__ import annotations

# What an experiment is called, and how it came by its values, is no setting of it.
NAMES = ("name", "market", "overrides")
MODEL = "model"
EQUAL_WEIGHT = "equal weight, all stocks"
