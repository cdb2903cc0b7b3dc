"""Hydra sweeps: sweeper, launcher, executors, resuming."""
