"""Where artifacts live and how they are written: atomically, indexed by session and symbol, with provenance."""
