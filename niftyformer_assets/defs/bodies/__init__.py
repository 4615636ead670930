"""What the assets of each package do, where it takes more than a few lines; loaded when an asset runs."""
