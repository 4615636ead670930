"""What the exchange answers on each route, by subject."""
