"""From Kite and NSE to clean, aligned candles: session, ingest, calendar, universe, quality, panel."""
