"""Replay buffers, n-step returns and the sum tree."""
