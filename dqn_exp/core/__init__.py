"""Array types, per-run state, random streams, schedules, compilation, errors."""
