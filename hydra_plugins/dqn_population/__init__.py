"""Hydra plugins of dqn_exp."""
