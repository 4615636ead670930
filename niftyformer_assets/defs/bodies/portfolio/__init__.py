"""What the assets of the `portfolio` package do."""
