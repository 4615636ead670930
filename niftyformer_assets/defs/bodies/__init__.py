"""What the assets do, by package of the pipeline; loaded when an asset runs.

A module is what is made by the same code: with all that it imports it is the code version of its artifacts.
"""
