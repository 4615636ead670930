"""Factors and what decides on them: Alpha158, Alpha360, labels, information coefficients, neutralisation."""
