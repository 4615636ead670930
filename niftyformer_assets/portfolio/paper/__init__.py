"""The paper account: what the signals would have earned at the prices that came, in a ledger that is never edited."""
