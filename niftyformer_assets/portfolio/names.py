"""What tables and reports call the model that is traded, and all stocks held at equal weight."""

from __future__ import annotations

MODEL = "model"
EQUAL_WEIGHT = "equal weight, all stocks"
