"""The Python API: training in this process, results as tables, and trained agents."""
