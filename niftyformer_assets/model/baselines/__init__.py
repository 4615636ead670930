"""The models: each is registered in a file of this folder and known nowhere else.

One of them is traded, and the others that an experiment names are the baselines it is compared with.

What is fitted sees labels of training sessions only; the recurrent networks stop early on
validation. A forecast is in units of the experiment's label, and p_up = Φ(forecast / σ) with σ the
deviation of the training labels, except where a baseline estimates it itself.
"""
