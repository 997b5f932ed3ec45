"""How numbers stand on the page: grouped thousands, a true minus sign, a dash for what was not measured."""

__all__ = ["MISSING", "count", "decimal", "duration", "plural", "significant"]

MISSING = "—"


def decimal(value: float | None, places: int) -> str:
    """Return ``value`` with ``places`` decimals, or the dash."""
    return MISSING if value is None else f"{value:,.{places}f}".replace("-", "−")


def significant(value: float | None) -> str:
    """Return ``value`` with about three significant digits, or the dash."""
    if value is None:
        return MISSING
    size = abs(value)
    if value == int(value) and size < 1e15:
        return count(int(value))
    text = f"{value:,.0f}" if size >= 1000 else f"{value:.3g}" if size >= 100 else f"{value:#.3g}"
    return text.replace("-", "−")


def count(value: int | float | None) -> str:
    """Return a whole number with grouped thousands, or the dash."""
    return MISSING if value is None else f"{value:,.0f}".replace("-", "−")


def duration(seconds: float | None) -> str:
    """Return a time in seconds, and in minutes or hours where it is long."""
    if seconds is None:
        return MISSING
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plural(number: int | None, noun: str) -> str:
    """Return "1 image", "64 images"."""
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")
