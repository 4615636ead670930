"""From the signal's target to orders that a person may confirm; nothing is ordered here."""
