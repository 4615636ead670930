"""What the assets of the `model` package do."""
