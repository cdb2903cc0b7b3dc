"""Vectorised environments: compiled physics and any Gymnasium environment."""
