"""Attacks on a small workspace of the simulated exchange: kills, faulty answers, damaged files."""
