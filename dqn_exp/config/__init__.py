"""Schema and validation of an experiment's config."""
