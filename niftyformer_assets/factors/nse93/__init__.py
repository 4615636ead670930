"""93 factors of daily candles beside Alpha158: a stock against the market, its night against its day, its liquidity.

`catalogue` names them with their formulas; `compute` has the one function; each group of factors has its module.
"""
