"""What the joined scores of a study prove: over years, regimes and groups, in money, and against luck."""
