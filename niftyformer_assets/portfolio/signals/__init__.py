"""The daily signal: what the model in use holds tomorrow, by the rules of the backtest."""
