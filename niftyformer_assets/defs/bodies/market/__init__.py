"""What the assets of the `market` package do."""
