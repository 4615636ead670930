"""From scores to money: strategies, costs, accounting, metrics, comparison and the report."""
