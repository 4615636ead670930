"""Experiments: what one is, how its file is read, and one opened on a workspace's candles."""
