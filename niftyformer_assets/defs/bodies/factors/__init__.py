"""What the assets of the `factors` package do."""
