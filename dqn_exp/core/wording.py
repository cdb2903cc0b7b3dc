"""Numbers in messages."""


def rounded(value: float) -> str:
    """Returns a return with a decimal, or with three digits if it is below 1, as in 0.0125."""
    return f"{value:.3g}" if 0 < abs(value) < 1 else f"{value:.1f}"


def quantity(number: int, noun: str) -> str:
    """Returns a number with its noun, as in "1 run" or "1,200 runs"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
