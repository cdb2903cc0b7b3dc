"""Which keys change what a run learns."""

WITHOUT_EFFECT = ("log", "checkpoint", "device", "engine", "num_threads", "report")
"""Keys and groups that do not, but for last bits: runs that differ in them alone are the same."""


def has_effect(key: str) -> bool:
    """Returns whether a dotted key changes what a run learns."""
    return key.split(".")[0] not in WITHOUT_EFFECT
