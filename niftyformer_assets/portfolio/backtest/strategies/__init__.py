"""The strategies: each is registered in a file of this folder and known nowhere else (`strategy_registry`)."""
