"""The tables of a run on disk, and their columns."""

TABLES = {
    "episodes": ("step", "episode", "return", "length", "terminated"),
    "evaluations": ("step", "episode", "seed", "return", "length"),
}
