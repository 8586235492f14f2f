"""The metadata of the fields of `TrainConfig`: their checks, what uses them, and their search ranges."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Annotated, Any, TypeAlias, TypeVar

from nograd.config.registry import Axis
from nograd.core.text import parse_duration

T = TypeVar("T")
POSITIONAL = "positional"
Positional: TypeAlias = Annotated[T, POSITIONAL]  # an argument without a flag
Check: TypeAlias = Callable[[Any], str]  # the remedy for a wrong value; "" for a valid one

LARGEST = 2**31 - 1  # the largest whole number: a larger one is a typing error, or overflows 32-bit counters
_TINIEST, _GREATEST = 2.0**-126, 2.0**128 * (1 - 2.0**-24)  # normal numbers of 32 bits
_NAME, _PATH = 255, 4095  # bytes of a file's name, and of a path


def setting(
    default: Any,
    *,
    heading: str = "",
    control: bool = False,
    path: bool = False,
    numeric: bool = False,
    follows: tuple[str, ...] = (),
    task: str = "",
    resume: bool = False,
    axis: Axis | None = None,
    check: Check | None = None,
    search: str = "",
    when: tuple[str, tuple[str, ...]] | None = None,
    short: str = "",
    flag: str = "",
    metavar: str = "",
    names: bool = False,
) -> Any:
    """A dataclass field with metadata; metadata that is not given is left out.

    Args:
        default: of the field.
        heading: begins a group of flags in `--help`.
        control: says where a run is written or what it starts from, and does not define the run.
        path: a text that may be given as a `pathlib.Path`.
        numeric: a text that may be given as a number: workers=2.
        follows: the choices (strategy, perturbation) that its value suits: a recipe's value is not used with another
            strategy or perturbation. Which words use the setting at all is said in the registry.
        task: the kind of task that reads it; "" for all.
        resume: whether a resumption may change it.
        axis: the registry of its words.
        check: of its value, beyond the type.
        search: the words of the range that `nograd search` draws it from.
        when: (parent, its values) that a search draws it with.
        short: another flag for the same, such as -o.
        flag: what the command line calls it, where that is no name in Python.
        metavar: what stands for its value in `--help`; default: by its type.
        names: a text of several names (see `name_lists`), which Python may give as a list or a mapping.
    """
    given = {
        "heading": heading, "control": control, "path": path, "numeric": numeric, "follows": follows, "task": task,
        "resume": resume, "axis": axis, "check": check, "search": search, "when": when, "short": short, "flag": flag,
        "names": names, "metavar": metavar,
    }  # fmt: skip
    metadata: Mapping[str, Any] = {name: value for name, value in given.items() if value}
    return field(default=default, metadata=metadata)


def at_least(low: int, remedy: str = "") -> Check:
    """The check that a whole number is `low` or more."""

    def check(value: int) -> str:
        if value < low:
            return remedy or f"use {low} or more"
        return "" if value <= LARGEST else f"use {LARGEST} or less"

    return check


def positive(example: str) -> Check:
    """The check that a number is above 0 and finite, also in the float32 of the training."""
    return lambda value: "" if _TINIEST <= value <= _GREATEST else f"use a positive number such as {example}"


def not_negative(value: float) -> str:
    """Checks for a number that is 0 or more, and finite in float32."""
    if value < 0 or math.isnan(value):
        return "use 0 or more"
    return "" if value <= _GREATEST else "use a smaller number, such as 0.01"


def finite(value: float) -> str:
    """Checks for a number that is not NaN or infinite."""
    return "" if abs(value) <= _GREATEST else "use a finite number, such as 0 (none)"


def share_below_one(value: float) -> str:
    """Checks that 0 ≤ value < 1."""
    return "" if 0 <= value < 1 else "use 0 or more and less than 1"


def seed(value: int) -> str:
    """Checks for a seed: 0 to 2³² − 1."""
    return "" if 0 <= value < 2**32 else "use 0 to 4294967295"


def duration(value: str) -> str:
    """Checks for a duration such as 10m. Raises ConfigError for any other text."""
    parse_duration(value)
    return ""


def workers(value: str) -> str:
    """Checks for the word auto or a number of workers."""
    known = value == "auto" or (value.isascii() and value.isdecimal() and 1 <= int(value[:11]) <= LARGEST)
    return "" if known else "use auto or a number such as 2"


def file_name(value: str) -> str:
    """Checks that a text can be the name of a file."""
    encoded = os.fsencode(value)
    if not value:
        return "give a name, or leave it out"
    if len(encoded) > _PATH or any(len(part) > _NAME for part in encoded.split(b"/")):
        return f"use a shorter name: a file name has at most {_NAME} bytes"
    return ""
