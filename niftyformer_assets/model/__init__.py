"""Multitask-Stockformer: the network, its training, checkpoints, inference, and the baselines."""
