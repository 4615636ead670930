"""The simulated exchange: Kite Connect's HTTP protocol and NSE's index list over loopback."""
