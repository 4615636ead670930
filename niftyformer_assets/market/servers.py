"""Where Kite and NSE's lists are, and how often and how patiently they are asked, where no setting says otherwise."""

from __future__ import annotations

KITE_ROOT = "https://api.kite.trade"
NSE_ROOT = "https://niftyindices.com"
# The redirect URL of an app of Kite is set by hand, so the port is always the same.
LOGIN_PORT = 8721

# Kite's limit for historical candles, of all that use one key.
REQUESTS_PER_SECOND = 3.0
# How long an answer may take to begin, and each of its parts: what the client of Kite takes by itself.
TIMEOUT_S = 7.0
# How often a request is sent before its symbol fails (429, 5xx, timeouts, broken bodies).
ATTEMPTS = 5
# The first wait between attempts; it is doubled each time, to no more than the other. Kite's limit is forgotten in a
# second, and an outage that lasts longer than all waits together is for the next run.
BACKOFF_S, MAX_BACKOFF_S = 1.0, 20.0
# How many requests may be under way: at Kite's limit, with answers that take two seconds, and two more.
WORKERS = 8
