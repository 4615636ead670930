"""From scores to money: strategies, execution, costs and accounting."""
