"""NiftyFormer: from Zerodha's daily candles to a Multitask-Stockformer and an honest backtest."""
