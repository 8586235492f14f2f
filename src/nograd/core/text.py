"""Text for people: durations, times, bytes, shares, and "did you mean" suggestions."""

import difflib
import re
from collections.abc import Iterable

from nograd.core.types import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(seconds: float) -> str:
    """Whole seconds in the two largest units: 45 s, 3 min 05 s, 2 h 02 min."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def parse_duration(text: str) -> float:
    """Seconds of a duration such as 90s, 10m, 1h30m or 45 (seconds)."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.strip() or seconds <= 0:
        raise ConfigError(f"--budget cannot be {text!r}; write a duration such as 90s, 10m or 1h30m")
    return seconds


def short_time(seconds: float) -> str:
    """A time with three digits in a suitable unit: 12.3 µs, 4.56 ms, 7.89 s."""
    scale, unit = time_unit(seconds)
    return f"{seconds * scale:.3g} {unit}"


def time_unit(seconds: float) -> tuple[float, str]:
    """A suitable unit for a time, and the factor from seconds to that unit."""
    if seconds < 1e-3:
        return 1e6, "µs"
    return (1e3, "ms") if seconds < 1 else (1.0, "s")


def byte_count(count: float) -> str:
    """A number of bytes with three digits, in decimal units (1 MB = 10⁶ bytes)."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def compact(count: float) -> str:
    """Three digits of a count: 950, 12.9 k, 12.9 M, 1.20 G."""
    for unit in ("", " k", " M"):
        if count < 999.5:
            return f"{count:.0f}" if not unit else f"{count:.{2 - (count >= 9.995) - (count >= 99.95)}f}{unit}"
        count /= 1000
    return f"{count:.3g} G"


def percent(share: float | None) -> str:
    """A share as a percentage: 97.42%; a dash for None."""
    return "–" if share is None else f"{share:.2%}"


def short(value: object) -> str:
    """A value in few characters: floats with at most four digits, thousands with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The text "; did you mean …?" with the nearest known names, or a list of all known names."""
    names = list(known)
    near = nearest(name, names)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(names)}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """At most two known names that are similar to this one."""
    return difflib.get_close_matches(name, list(known), n=2)
