"""File formats on disk, one per module."""
