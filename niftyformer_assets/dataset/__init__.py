"""What the model sees: windows, wavelet bands, trend, correlation graph and its embedding."""
