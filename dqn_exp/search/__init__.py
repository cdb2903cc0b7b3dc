"""Search for settings, with seeds and pruning."""
