"""The one Definitions object that Dagster loads."""

from niftyformer_assets.defs import build

defs = build()
