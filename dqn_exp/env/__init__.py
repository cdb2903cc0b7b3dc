"""Vectorized environments: compiled physics and any Gymnasium environment."""
