"""Q-networks, each of which owns its parameter layout."""
