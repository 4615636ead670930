"""What a backtest proves: figures with their uncertainty, what they stand beside, and the verdict."""
