"""Numbers in messages."""


def quantity(number: int, noun: str) -> str:
    """Returns a number with its noun, as in "1 run" or "1,200 runs"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
