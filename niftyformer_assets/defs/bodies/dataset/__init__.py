"""What the assets of the `dataset` package do."""
