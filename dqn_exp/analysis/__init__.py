"""Reads sweeps, aggregates them over seeds and writes reports."""
