"""The distribution of a searched setting: parsed from text, and evaluated at a quantile. Pure functions, no NumPy.

Forms: `uniform(0.5, 0.99)`, `log(0.001, 1)`, `int(1, 150)`, `log_int(8, 512)`, `choice(adam, sgd)`, `fixed(0.01)`
and `chi()`.
"""

import csv
import math
import re
import tomllib
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, get_args

from nograd.config.recipes import checked
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.tuning.study.records import Condition, Dimension, RangeKind

KINDS: tuple[RangeKind, ...] = get_args(RangeKind)
CHI_RANGE = (1e-6, 2.0)  # seven standard deviations: beyond lies 1 draw in 10¹¹
_CHI_SCALE = 1 / math.sqrt(12)  # the standard deviation of a uniform draw from 0..1
_DIGITS = 6  # of a drawn number: so that a recipe can be read and typed
_FORM = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)
_EXAMPLES = "such as log(0.001, 1), uniform(0.5, 0.99), int(1, 150), log_int(8, 512), choice(32, 64) or fixed(0.01)"


def parse_dimension(name: str, text: str, when: tuple[Condition, ...] = ()) -> Dimension:
    """Parses a distribution such as `log(0.001, 1)`. Raises ConfigError where there is no such distribution."""
    origin = f"--search {name}={text}"
    found = _FORM.fullmatch(text)
    if not found:
        raise ConfigError(f"{origin}: no distribution; write one {_EXAMPLES}")
    kind, values = found[1], [checked(name, _value(word), origin) for word in _words(found[2])]
    if kind not in KINDS:
        raise ConfigError(f"{origin}: unknown distribution {kind!r}{did_you_mean(kind, KINDS)}")
    made = Dimension(name, kind, when=when)
    if kind in ("choice", "fixed"):
        return _with_choices(made, values, origin)
    if kind == "chi":
        if values or name != "sigma":
            raise ConfigError(f"{origin}: chi() has no numbers, and is for sigma; write sigma=chi()")
        return made._replace(low=CHI_RANGE[0], high=CHI_RANGE[1])
    return _with_range(made, values, origin)


def describe(dimension: Dimension) -> str:
    """The text that `parse_dimension` reads, followed by the conditions if there are any."""
    kind, choices = dimension.kind, dimension.choices
    values = choices if kind in ("choice", "fixed") else () if kind == "chi" else (dimension.low, dimension.high)
    words = f"{kind}({', '.join(map(_word, values))})"
    where = " and ".join(f"{parent} is {' or '.join(map(str, among))}" for parent, among in dimension.when)
    return f"{words} where {where}" if where else words


def value_at(dimension: Dimension, quantile: float) -> Any:
    """The inverse of the cumulative distribution, F⁻¹(u).

    Args:
        dimension: the distribution. `chi` is σ = √(χ²₁/12), a standard normal's absolute value over √12.
        quantile: u in 0 < u < 1; uniform draws of u are draws from the distribution.
    """
    if dimension.kind in ("choice", "fixed"):
        return dimension.choices[int(quantile * len(dimension.choices))]
    low, high = dimension.low, dimension.high
    assert low is not None  # parse_dimension saw to it
    assert high is not None
    value = _INVERSE[dimension.kind](float(low), float(high), quantile)
    if isinstance(low, int):
        return min(max(round(value), low), int(high))
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)


def _log(low: float, high: float, quantile: float) -> float:
    return low * (high / low) ** quantile


_INVERSE: dict[RangeKind, Callable[[float, float, float], float]] = {
    "uniform": lambda low, high, u: low + (high - low) * u,
    "log": _log,
    # Whole numbers are rounded: each has the share of the half on either side of it.
    "int": lambda low, high, u: low - 0.5 + (high - low + 1) * u,
    "log_int": lambda low, high, u: _log(low - 0.5, high + 0.5, u),
    "chi": lambda low, high, u: NormalDist().inv_cdf((1 + u) / 2) * _CHI_SCALE,
}


def _with_choices(made: Dimension, values: list[Any], origin: str) -> Dimension:
    if not values or (made.kind == "fixed" and len(values) > 1):
        wanted = "one value" if made.kind == "fixed" else "values with commas"
        raise ConfigError(f"{origin}: {made.kind} takes {wanted}; write it {_EXAMPLES}")
    return made._replace(choices=tuple(dict.fromkeys(values)))


def _with_range(made: Dimension, values: list[Any], origin: str) -> Dimension:
    if len(values) != 2 or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise ConfigError(f"{origin}: {made.kind} takes two numbers, low and high; write it {_EXAMPLES}")
    whole = type(values[0]) is int
    if whole != made.kind.endswith("int"):
        kinds = "int, log_int" if whole else "uniform, log"
        raise ConfigError(f"{origin}: {made.name} is {'a' if whole else 'no'} whole number; use {kinds} or choice")
    low, high = values
    if not low < high:
        raise ConfigError(f"{origin}: the low end must be below the high end; write {made.kind}({high}, {low})")
    if made.kind.startswith("log") and low <= 0:
        raise ConfigError(f"{origin}: a logarithmic range begins above 0; start at {1 if whole else 1e-6}")
    return made._replace(low=low, high=high)


def _words(text: str) -> list[str]:
    """What stands between the commas; quotes keep a comma, as in "mlp:128,64"."""
    return [word.strip() for row in csv.reader([text.strip()], skipinitialspace=True) for word in row]


def _value(word: str) -> Any:
    """A number or a truth value as TOML writes it, else the word itself."""
    try:
        value = tomllib.loads(f"value = {word}")["value"]
    except tomllib.TOMLDecodeError:
        return word
    return value if isinstance(value, bool | int | float) else word


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value}"' if "," in str(value) else str(value)
