"""The watch on the model in use: are its signals still worth what those of the backtest were?"""
